//! `emu webhook`.

use std::process::ExitCode;

use crate::args::{WebhookAction, WebhookArgs};

/// Serves the webhook.
pub(crate) async fn run(args: WebhookArgs) -> miette::Result<ExitCode> {
    let WebhookAction::Serve(args) = args.action;
    Ok(emu_webhook::serve(*args).await)
}
