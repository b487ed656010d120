//! `emu clock`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{
    args::{ClockAction, ClockArgs},
    control, output,
};

/// Reads or moves the clock.
pub(crate) fn run(args: &ClockArgs) -> miette::Result<ExitCode> {
    let at = args.at.addr;
    let answer: Value = match &args.action {
        None => serde_json::from_str(&control::get(at, "/_emu/clock")?)
            .map_err(|e| miette::miette!("the emulator's clock cannot be read: {e}"))?,
        Some(ClockAction::Advance { by }) => {
            control::post(at, "/_emu/clock/advance", &json!({ "by": by.to_string() }))?
        }
        Some(ClockAction::Step { by }) => {
            control::post(at, "/_emu/clock/step", &json!({ "by": by }))?
        }
    };
    output::json(&answer);
    Ok(ExitCode::SUCCESS)
}
