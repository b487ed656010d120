//! The program `emu`: arguments in, text out, nothing else.
#![forbid(unsafe_code)]

mod args;
mod command;
mod control;
mod descriptor;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    // One provider of cryptography for whatever speaks TLS; a second call would be no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    let outcome = match cli.command {
        // Programs of pods enter namespaces that only a process without threads may enter.
        Command::Exec(args) => command::exec::run(&args),
        Command::Env(args) => command::env::run(&args),
        Command::Clock(args) => command::clock::run(&args),
        Command::Journal(args) => command::journal::run(&args),
        Command::Schema => command::schema::run(),
        Command::Completions(args) => command::completions::run(&args),
        Command::Pause => command::pause::run(),
        Command::Pod(args) => command::pod::run(&args.action),
        Command::Image(args) => command::image::run(&args),
        other => runtime().and_then(|runtime| runtime.block_on(asynchronous(other))),
    };
    match outcome {
        Ok(code) => code,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::from(2)
        }
    }
}

async fn asynchronous(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Run(args) => command::run::run(&args).await,
        Command::Up(args) => command::up::run(&args).await,
        Command::Down(args) => command::down::run(&args).await,
        Command::Doctor(args) => command::doctor::run(&args).await,
        Command::Agent(args) => command::agent::run(args).await,
        Command::Webhook(args) => command::webhook::run(args).await,
        Command::Kubernetes(args) => command::kubernetes::run(&args).await,
        _ => unreachable!("the others need no runtime"),
    }
}

/// Amazon's agent answers a wrong command line with status 1, and so does its drop-in; everything else here with 2.
fn usage(error: &clap::Error) -> ExitCode {
    // What cannot be printed has no reader.
    let _ = error.print();
    let of_agent = std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "agent");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if of_agent => ExitCode::FAILURE,
        _ => ExitCode::from(2),
    }
}

fn runtime() -> miette::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| miette::miette!("no threads to work with: {e}"))
}
