//! Faults between pods and the agent, by the node's own packet filter: a refused connection is refused, a swallowed one never
//! answers, and where only some are struck they all take a detour.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    process::Command,
};

use crate::{
    fault::{FaultPlace, NetworkFault, NetworkFaultKind},
    node::{address::AGENT_IPV4, netns::Inside, platform::PATH},
};

/// The rules that stand.
#[derive(Default)]
pub(super) struct Barrier(HashMap<FaultPlace, Rule>);

/// One rule: its table, and its words from the chain on.
struct Rule {
    table: &'static str,
    words: Vec<String>,
}

impl Barrier {
    /// Puts a rule for a fault, or takes the place's rule away. `source` is the pod's address; none for every pod.
    pub(super) fn set(
        &mut self,
        inside: &Inside,
        place: &FaultPlace,
        fault: Option<&NetworkFault>,
        source: Option<IpAddr>,
        detour: SocketAddr,
    ) -> io::Result<()> {
        if let Some(rule) = self.0.remove(place) {
            iptables(inside, "-D", &rule)?;
        }
        let Some(fault) = fault else {
            return Ok(());
        };
        let (table, chain, target): (_, _, Vec<String>) = match target(fault) {
            Some(target) => (
                "filter",
                "INPUT",
                target.iter().map(ToString::to_string).collect(),
            ),
            None => {
                let to = ["-j", "DNAT", "--to-destination"].map(String::from);
                let to = to.into_iter().chain([detour.to_string()]);
                ("nat", "PREROUTING", to.collect())
            }
        };
        let mut words: Vec<String> = vec![chain.into()];
        match source {
            Some(source) => words.extend(["-s".into(), source.to_string()]),
            None => words.extend(["-i".into(), "cni0".into()]),
        }
        let agent = AGENT_IPV4.to_string();
        words.extend(["-d", &agent, "-p", "tcp", "--dport", "80"].map(String::from));
        words.extend(target);
        let rule = Rule { table, words };
        // Before everything else, connections under way included.
        iptables(inside, "-I", &rule)?;
        self.0.insert(place.clone(), rule);
        Ok(())
    }
}

/// Whether some connections are struck and others not, or what is done to them takes more than a packet filter.
pub(super) fn takes_detour(fault: &NetworkFault) -> bool {
    target(fault).is_none()
}

/// What the packet filter does for a fault, when it can do it.
fn target(fault: &NetworkFault) -> Option<&'static [&'static str]> {
    match fault.what {
        _ if !fault.is_total() => None,
        NetworkFaultKind::Refuse => Some(&["-j", "REJECT", "--reject-with", "tcp-reset"]),
        NetworkFaultKind::Blackhole => Some(&["-j", "DROP"]),
        _ => None,
    }
}

fn iptables(inside: &Inside, what: &str, rule: &Rule) -> io::Result<()> {
    let mut command = Command::new("iptables");
    command
        .args(["-w", "-t", rule.table, what])
        .args(&rule.words)
        .env("PATH", PATH)
        .stderr(std::process::Stdio::piped());
    let output = inside.spawn(command)?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("iptables: {text}")))
}
