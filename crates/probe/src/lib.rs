//! The small program that plays a pod: credentials through the SDK's default chain, calls to STS and S3, JSON out.
//!
//! It is the unmodified AWS SDK for Rust, so what it finds and how it fails is what any program with that SDK would.
#![forbid(unsafe_code)]

mod call;
mod report;

use std::process::ExitCode;

pub use call::Call;
pub use report::Report;

/// Runs the program: `identity`, `list BUCKET`, `get BUCKET KEY`, `put BUCKET KEY TEXT`. Prints one JSON object.
pub async fn run(arguments: Vec<String>) -> ExitCode {
    let Some(call) = Call::parse(&arguments) else {
        eprintln!("probe: identity | list BUCKET | get BUCKET KEY | put BUCKET KEY TEXT");
        return ExitCode::from(2);
    };
    let report = call.make().await;
    println!("{}", serde_json::to_string(&report).unwrap_or_default());
    if report.error.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
