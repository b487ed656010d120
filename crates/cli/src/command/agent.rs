//! `emu agent`.

use std::process::ExitCode;

use crate::{
    args::{AgentAction, AgentArgs},
    output,
};

/// Serves the twin, or fetches Amazon's own agent.
pub(crate) async fn run(args: AgentArgs) -> miette::Result<ExitCode> {
    match args.action {
        AgentAction::Agent(command) => Ok(emu_agent::run(command).await),
        AgentAction::Pull(args) => {
            let agent = emu_agent::pull(&args)
                .await
                .map_err(|e| miette::miette!("Amazon's agent could not be fetched: {e}"))?;
            output::line(format_args!(
                "agent {} is at {}",
                agent.version(),
                agent.path().display()
            ));
            Ok(ExitCode::SUCCESS)
        }
    }
}
