//! `emu env`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{
    args::{EnvArgs, Output},
    control, output,
};

/// Prints the variables that point AWS clients at the emulator.
pub(crate) fn run(args: &EnvArgs) -> miette::Result<ExitCode> {
    let settings: Value = serde_json::from_str(&control::get(args.at.addr, "/_emu/settings")?)
        .map_err(|e| miette::miette!("the emulator's settings cannot be read: {e}"))?;
    let region = settings["region"].as_str().unwrap_or("us-east-1");
    let variables = [
        ("AWS_ENDPOINT_URL", format!("http://{}", args.at.addr)),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
    ];
    match args.output {
        Output::Json => {
            let map: serde_json::Map<String, Value> = variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            output::json(&map);
        }
        Output::Text => {
            for (name, value) in variables {
                output::line(format_args!("export {name}={value}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
