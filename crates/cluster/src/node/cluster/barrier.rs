//! Faults that strike every connection of a pod to the agent: the node's own packet filter does them, so that a refused
//! connection is refused and a swallowed one never answers.

use std::{collections::HashMap, io, net::IpAddr, process::Command};

use crate::{
    fault::{FaultPlace, NetworkFault, NetworkFaultKind},
    node::{address::AGENT_IPV4, netns::Inside, platform::PATH},
};

/// The rules that stand.
#[derive(Default)]
pub(super) struct Barrier(HashMap<FaultPlace, Vec<String>>);

impl Barrier {
    /// Puts a rule for a fault that the packet filter can do, or takes the place's rule away. `source` is the pod's
    /// address; none for every pod.
    pub(super) fn set(
        &mut self,
        inside: &Inside,
        place: &FaultPlace,
        fault: Option<&NetworkFault>,
        source: Option<IpAddr>,
    ) -> io::Result<()> {
        if let Some(rule) = self.0.remove(place) {
            iptables(inside, "-D", &rule)?;
        }
        let Some(target) = fault.and_then(target) else {
            return Ok(());
        };
        let mut rule: Vec<String> = vec!["INPUT".into()];
        match source {
            Some(source) => rule.extend(["-s".into(), source.to_string()]),
            None => rule.extend(["-i".into(), "cni0".into()]),
        }
        let agent = AGENT_IPV4.to_string();
        rule.extend(["-d", &agent, "-p", "tcp", "--dport", "80"].map(String::from));
        rule.extend(target.iter().map(|w| (*w).to_owned()));
        // Before everything else, connections under way included.
        iptables(inside, "-I", &rule)?;
        self.0.insert(place.clone(), rule);
        Ok(())
    }
}

/// What the packet filter does for a fault, when it can do it.
pub(super) fn target(fault: &NetworkFault) -> Option<&'static [&'static str]> {
    match fault.what {
        _ if !fault.is_total() => None,
        NetworkFaultKind::Refuse => Some(&["-j", "REJECT", "--reject-with", "tcp-reset"]),
        NetworkFaultKind::Blackhole => Some(&["-j", "DROP"]),
        _ => None,
    }
}

fn iptables(inside: &Inside, what: &str, rule: &[String]) -> io::Result<()> {
    let mut command = Command::new("iptables");
    command
        .args(["-w", what])
        .args(rule)
        .env("PATH", PATH)
        .stderr(std::process::Stdio::piped());
    let output = inside.spawn(command)?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("iptables: {text}")))
}
