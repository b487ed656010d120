//! `initialize`: the link with the two addresses, made with the `ip` program. Linux, NET_ADMIN.

use std::process::{Command, ExitCode, Stdio};

use crate::log::{Fields, Level, Log};

const LINK: &str = "pod-id-link0";

fn ip(args: &[&str]) -> Result<String, String> {
    let output = Command::new("ip")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("the program `ip` (package iproute2) is needed: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_string())
    }
}

/// Finds or makes what is needed. Problems with IPv6 are logged and no more.
pub(super) fn run(log: &Log) -> ExitCode {
    let fields: Fields = vec![("link", LINK.into())];
    if ip(&["link", "show", LINK]).is_err() {
        log.write(
            Level::Info,
            &Fields::new(),
            "Link was not found, creating it",
        );
        if let Err(e) = ip(&["link", "add", LINK, "type", "dummy"]) {
            log.write(
                Level::Error,
                &Fields::new(),
                format_args!("Unable to create interface {LINK}: {e}"),
            );
            return ExitCode::FAILURE;
        }
    }
    let address = |family: &str, address: &str| {
        if ip(&[family, "-o", "address", "show", "dev", LINK])
            .is_ok_and(|all| all.contains(address))
        {
            log.write(
                Level::Info,
                &fields,
                format_args!("Found IP {address} on interface {LINK}, continuing"),
            );
            return Ok(());
        }
        let line = format_args!("Adding IP {address} to {LINK} as it was not found on interface");
        log.write(Level::Info, &fields, line);
        ip(&[family, "address", "add", address, "dev", LINK]).map(drop)
    };
    let route = |family: &str, address: &str| {
        let there = ip(&[family, "route", "show", address]).unwrap_or_default();
        if there.contains(LINK) {
            return Ok(());
        }
        if !there.trim().is_empty() {
            return Err(format!(
                "expected route {address} to be of {LINK} but is `{}`, please remove route and try again",
                there.trim()
            ));
        }
        ip(&[family, "route", "add", address, "dev", LINK]).map(drop)
    };
    let families = [("-4", "169.254.170.23/32"), ("-6", "fd00:ec2::23/128")];
    let settle = |family: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => true,
        Err(e) if family == "-6" => {
            log.write(
                Level::Error,
                &fields,
                format_args!("Unable to configure family 0a: {e}"),
            );
            true
        }
        Err(e) => {
            let line =
                format_args!("Stopping execution, unable to configure required family 02: {e}");
            log.write(Level::Fatal, &fields, line);
            false
        }
    };
    let addresses = families
        .iter()
        .all(|(family, wanted)| settle(family, address(family, wanted)));
    if !addresses {
        return ExitCode::FAILURE;
    }
    log.write(
        Level::Info,
        &fields,
        format_args!("Bringing up link: {LINK}"),
    );
    if let Err(e) = ip(&["link", "set", LINK, "up"]) {
        log.write(
            Level::Error,
            &fields,
            format_args!("Error bringing up link: {e}"),
        );
        return ExitCode::FAILURE;
    }
    let routes = families
        .iter()
        .all(|(family, wanted)| settle(family, route(family, wanted)));
    if routes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
