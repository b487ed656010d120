//! `emu env`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::kubernetes::kubeconfig;
use crate::{
    args::{EnvArgs, Output},
    control, output,
};

/// Prints the variables that point AWS clients at the emulator, and kubectl at its cluster where that is a real one.
pub(crate) fn run(args: &EnvArgs) -> miette::Result<ExitCode> {
    let settings: Value = serde_json::from_str(&control::get(args.at.addr, "/_emu/settings")?)
        .map_err(|e| miette::miette!("the emulator's settings cannot be read: {e}"))?;
    let region = settings["region"].as_str().unwrap_or("us-east-1");
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", format!("http://{}", args.at.addr)),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
    ];
    // An emulator that is no `emu up` has no such list.
    if let Ok(Some(kubeconfig)) = kubeconfig(args.at, None) {
        variables.push(("KUBECONFIG", kubeconfig.display().to_string()));
    }
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
