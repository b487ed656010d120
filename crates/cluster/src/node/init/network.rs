//! The node's links and addresses, all inside its own network namespace.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use super::super::{
    address::{AGENT_IPV4, AGENT_IPV6},
    platform::PATH,
    protocol::Plan,
};

/// Kinds of link that carry an address and nothing else, best first. Some kernels lack the first.
const KINDS: [&str; 2] = ["dummy", "ifb"];

/// Makes the network; returns the kind of link that carries the node's address.
pub(super) fn make(plan: &Plan) -> Result<String, String> {
    ip("link set lo up\n")?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")
        .map_err(|e| format!("switching forwarding on: {e}"))?;
    let node = plan.addresses.node;
    let kind = KINDS
        .into_iter()
        .find(|kind| ip(&format!("link add node0 type {kind}\n")).is_ok());
    match kind {
        Some(_) => ip(&format!(
            "addr add {node}/24 dev node0\nlink set node0 up\n"
        ))?,
        None => ip(&format!("addr add {node}/32 dev lo\n"))?,
    }
    if plan.agent_link {
        agent_link(kind)?;
    }
    Ok(kind.unwrap_or("lo").to_owned())
}

/// The link that the agent's own `initialize` makes, with the same addresses; it adopts this one. Where no such link can
/// be made the addresses go on the loopback.
fn agent_link(kind: Option<&str>) -> Result<(), String> {
    let link = match kind {
        Some(kind) => {
            ip(&format!(
                "link add pod-id-link0 type {kind}\nlink set pod-id-link0 up\n"
            ))?;
            "pod-id-link0"
        }
        None => "lo",
    };
    ip(&format!("addr add {AGENT_IPV4}/32 dev {link}\n"))?;
    // Without IPv6 in the kernel there is no IPv6 address, as on a node without it.
    let _ = ip(&format!("addr add {AGENT_IPV6}/128 dev {link} nodad\n"));
    Ok(())
}

fn ip(batch: &str) -> Result<(), String> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("starting ip: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(batch.as_bytes())
            .map_err(|e| format!("writing to ip: {e}"))?;
    }
    let output = child
        .wait_with_output()
        .map_err(|e| format!("waiting for ip: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("ip {}: {}", batch.trim(), text.trim()))
    }
}
