//! The program `emu-probe`. Apart from `emu`, for the SDK is larger than all the rest.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    emu_probe::run(std::env::args().skip(1).collect()).await
}
