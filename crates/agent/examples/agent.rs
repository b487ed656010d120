//! The twin as a program of its own, with the flags of Amazon's agent: `cargo run --example agent -- server -c demo`.

use std::process::ExitCode;

use clap::Parser;
use emu_agent::AgentCommand;

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: AgentCommand,
}

#[tokio::main]
async fn main() -> ExitCode {
    emu_agent::run(Program::parse().command).await
}
