//! The commands. One file each.

pub(crate) mod agent;
pub(crate) mod clock;
mod clusters;
pub(crate) mod completions;
mod docker;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod external;
pub(crate) mod image;
pub(crate) mod journal;
pub(crate) mod kubernetes;
pub(crate) mod pause;
pub(crate) mod pod;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod up;
pub(crate) mod webhook;

use emu_core::Settings;
use emu_scenario::world::WorldOptions;

use crate::args::WorldArgs;

/// Options of a world, from the arguments.
fn world_options(args: &WorldArgs) -> WorldOptions {
    WorldOptions {
        kind: args.cluster.kind,
        agent: args.agent.clone(),
        webhook: args.webhook_kind(),
        settings: Settings {
            account: args.account.clone(),
            region: args.region.clone(),
            ..Settings::default()
        },
        seed: args.seed,
        program: std::env::current_exe().ok(),
        ..WorldOptions::default()
    }
}

/// Resolves when the process is told to end.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
