//! Why a scenario cannot be played here.

use emu_cluster::Capabilities;

use crate::file::{ClockKind, Requires, Scenario};

/// The reason, if there is one. It must be true: a scenario is never skipped in silence.
pub(super) fn reason(scenario: &Scenario, can: Capabilities, real_agent: bool) -> Option<String> {
    let moves = scenario.clock == ClockKind::Virtual
        && scenario.steps.iter().any(|step| {
            step.advance.is_some()
                || step.advance_to.is_some()
                || step.step.is_some()
                || step.at.is_some()
        });
    let mut missing: Vec<String> = scenario
        .requires
        .iter()
        .filter(|requirement| !match requirement {
            Requires::VirtualTime => can.virtual_time,
            Requires::NetworkFaults => can.network_faults,
            Requires::TrueAddresses => can.true_addresses,
            Requires::AgentControl => can.agent_control,
            Requires::LocalPrograms => can.local_programs,
            Requires::Imds => can.imds,
            Requires::RealAgent => real_agent,
            Requires::Python3 => succeeds("python3", &["--version"]),
            Requires::Boto3 => succeeds("python3", &["-c", "import boto3"]),
            Requires::AwsCli => succeeds("aws", &["--version"]),
        })
        .map(|requirement| requirement.word())
        .collect();
    if moves && !can.virtual_time && !missing.iter().any(|m| m == "virtual-time") {
        missing.push("virtual-time (it moves the clock)".into());
    }
    (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
