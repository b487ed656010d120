//! `initialize`: the link with the two addresses. Linux, NET_ADMIN.

use std::{fs, io, net::IpAddr, process::ExitCode};

use super::{errno, netlink};
use crate::log::{Fields, Level, Log};

const LINK: &str = "pod-id-link0";
const ADDRESSES: [(&str, &str); 2] = [("02", "169.254.170.23"), ("0a", "fd00:ec2::23")];

/// Finds or makes what is needed. Problems with IPv6 are logged and no more. With `any_link`, which Amazon's agent does
/// not have, a kernel without dummy links gets one of another kind, or the addresses on its loopback.
pub(super) fn run(log: &Log, any_link: bool) -> ExitCode {
    let (name, index) = match link(log, any_link) {
        Ok(link) => link,
        Err(e) => {
            let line = format_args!("Unable to create interface {LINK}: {}", errno(&e));
            log.write(Level::Error, &Fields::new(), line);
            return ExitCode::FAILURE;
        }
    };
    let fields: Fields = vec![("link", name.into())];
    let settle = |family: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => true,
        Err(e) if family == "0a" => {
            log.write(
                Level::Error,
                &fields,
                format_args!("Unable to configure family {family}: {e}"),
            );
            true
        }
        Err(e) => {
            let line = format_args!(
                "Stopping execution, unable to configure required family {family}: {e}"
            );
            log.write(Level::Fatal, &fields, line);
            false
        }
    };
    let address = |text: &str| {
        let line = format_args!("Adding IP {text} to {name} as it was not found on interface");
        match netlink::add_address(index, parsed(text)?) {
            Ok(()) => log.write(Level::Info, &fields, line),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => log.write(
                Level::Info,
                &fields,
                format_args!("Found IP {text} on interface {name}, continuing"),
            ),
            Err(e) => return Err(errno(&e)),
        }
        Ok(())
    };
    let route = |text: &str| match netlink::add_route(index, parsed(text)?) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match route_of(parsed(text)?) {
            Some(other) if other != name => Err(format!(
                "expected route {text} to be of {name} but is of {other}, please remove route and try again"
            )),
            _ => Ok(()),
        },
        Err(e) => Err(errno(&e)),
    };
    let all = |what: &dyn Fn(&str) -> Result<(), String>| {
        ADDRESSES
            .iter()
            .all(|(family, text)| settle(family, what(text)))
    };
    if !all(&address) {
        return ExitCode::FAILURE;
    }
    log.write(
        Level::Info,
        &fields,
        format_args!("Bringing up link: {name}"),
    );
    if let Err(e) = netlink::set_up(index) {
        log.write(
            Level::Error,
            &fields,
            format_args!("Error bringing up link: {}", errno(&e)),
        );
        return ExitCode::FAILURE;
    }
    // The loopback needs no routes to its own addresses.
    match name == "lo" || all(&route) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn parsed(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text} is no address"))
}

/// The link that carries the addresses.
fn link(log: &Log, any_link: bool) -> io::Result<(&'static str, u32)> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    if let Some(index) = netlink::index(LINK) {
        return Ok((LINK, index));
    }
    log.write(
        Level::Info,
        &Fields::new(),
        "Link was not found, creating it",
    );
    let made = match netlink::add_link(LINK, "dummy") {
        Err(e) if any_link => {
            let line = format_args!(
                "This kernel makes no dummy link ({}), trying another",
                errno(&e)
            );
            log.write(Level::Info, &Fields::new(), line);
            netlink::add_link(LINK, "ifb")
        }
        other => other,
    };
    match made {
        Ok(()) => Ok((LINK, netlink::index(LINK).ok_or_else(gone)?)),
        Err(_) if any_link => Ok(("lo", netlink::index("lo").ok_or_else(gone)?)),
        Err(e) => Err(e),
    }
}

/// The link of the main table's route to exactly this address.
fn route_of(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(v4) => {
            // In the byte order of the machine, as the kernel prints it.
            let wanted = format!("{:08X}", u32::from_ne_bytes(v4.octets()));
            let table = fs::read_to_string("/proc/net/route").ok()?;
            table.lines().find_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let exact = words.get(1) == Some(&wanted.as_str())
                    && words.get(7).is_some_and(|mask| *mask == "FFFFFFFF");
                exact.then(|| words[0].to_owned())
            })
        }
        IpAddr::V6(v6) => {
            let wanted: String = v6.octets().iter().map(|b| format!("{b:02x}")).collect();
            let table = fs::read_to_string("/proc/net/ipv6_route").ok()?;
            table.lines().find_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let exact = words.first() == Some(&wanted.as_str()) && words.get(1) == Some(&"80");
                // The local table's entry is of the loopback.
                exact
                    .then(|| words.last().copied().unwrap_or_default().to_owned())
                    .filter(|link| link != "lo")
            })
        }
    }
}
