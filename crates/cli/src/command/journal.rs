//! `emu journal`.

use std::process::ExitCode;

use serde_json::Value;

use crate::{
    args::{JournalArgs, Output},
    control, output,
};

/// Prints the journal.
pub(crate) fn run(args: &JournalArgs) -> miette::Result<ExitCode> {
    let text = control::get(args.at.addr, &format!("/_emu/journal?since={}", args.since))?;
    for entry in entries(&text) {
        let kind = entry["type"].as_str().unwrap_or_default();
        if args.r#type.as_deref().is_some_and(|wanted| wanted != kind) {
            continue;
        }
        match args.output {
            Output::Json => output::line(&entry),
            Output::Text => output::line(format_args!(
                "{:>5}  {}  {kind:<20} {}",
                entry["seq"],
                entry["at"].as_str().unwrap_or_default(),
                rest(&entry)
            )),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer is a list, an object with `entries`, or one object a line.
fn entries(text: &str) -> Vec<Value> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(list)) => list,
        Ok(Value::Object(mut object)) => match object.remove("entries") {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        },
        _ => text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
    }
}

fn rest(entry: &Value) -> String {
    let Some(object) = entry.as_object() else {
        return String::new();
    };
    object
        .iter()
        .filter(|(name, value)| {
            !matches!(name.as_str(), "seq" | "at" | "type" | "verdict") && !value.is_null()
        })
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
}
