//! `emu doctor`: what is here, what is missing, what that means.

use std::process::{Command, ExitCode, Stdio};

use emu_cluster::{
    docker::{Docker, Provider},
    kubernetes::install,
    sandbox::Isolation,
};
use serde::Serialize;

use crate::{
    args::{DoctorArgs, Output},
    output,
};

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    here: bool,
    found: String,
    /// What its absence means, and which command brings it.
    remedy: Option<String>,
}

/// Looks around.
pub(crate) async fn run(args: &DoctorArgs) -> miette::Result<ExitCode> {
    let mut findings = look();
    findings.extend(docker().await);
    match args.output {
        Output::Json => output::json(&findings),
        Output::Text => {
            for finding in &findings {
                let mark = if finding.here { "ok     " } else { "missing" };
                output::line(format_args!(
                    "{mark}  {:<20} {}",
                    finding.what, finding.found
                ));
                if let Some(remedy) = &finding.remedy {
                    output::line(format_args!("         {:<20} {remedy}", ""));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn look() -> Vec<Finding> {
    let mut findings = vec![isolation(), virtual_time(), agent()];
    findings.push(program(
        "boto3",
        "python3",
        &["-c", "import boto3; print(boto3.__version__)"],
        "scenarios with a real Python SDK are skipped; pip install boto3",
    ));
    findings.push(program(
        "AWS CLI",
        "aws",
        &["--version"],
        "scenarios with the AWS command line are skipped; pip install awscli",
    ));
    for version in install::VERSIONS.iter().rev() {
        let missing = install::missing(&install::cache_folder(), version);
        let here = missing.is_empty();
        findings.push(Finding {
            what: match version.minor {
                "1.34" => "node, Kubernetes 1.34",
                _ => "node, Kubernetes 1.33",
            },
            here,
            found: if here {
                format!(
                    "{} in {}",
                    version.number,
                    install::folder(&install::cache_folder(), version).display()
                )
            } else {
                missing
                    .iter()
                    .map(|m| m.what.clone())
                    .collect::<Vec<_>>()
                    .join("; ")
            },
            remedy: (!here).then(|| {
                missing
                    .iter()
                    .map(|m| m.remedy.clone())
                    .collect::<Vec<_>>()
                    .join("; ")
            }),
        });
    }
    findings
}

/// Docker with each program that makes clusters in it.
async fn docker() -> [Finding; 2] {
    let here = Docker::here();
    let look = async |what, provider| match here.look(provider).await {
        Ok(engine) => Finding {
            what,
            here: true,
            found: format!("Docker {} on {}", engine.version, engine.system),
            remedy: None,
        },
        Err(error) => Finding {
            what,
            here: false,
            found: error.to_string(),
            remedy: error.help(),
        },
    };
    [
        look("kind", Provider::Kind).await,
        look("k3d", Provider::K3d).await,
    ]
}

fn isolation() -> Finding {
    let isolation = Isolation::detect();
    Finding {
        what: "pod namespaces",
        here: isolation.is_true(),
        found: isolation.to_string(),
        remedy: (!isolation.is_true()).then(|| {
            "pods of the sandbox use loopback addresses; run as root, or allow user namespaces"
                .into()
        }),
    }
}

fn virtual_time() -> Finding {
    let supported = emu_vtime::supported();
    Finding {
        what: "virtual time",
        here: supported.is_ok(),
        found: match &supported {
            Ok(()) => "programs and agents follow the clock".into(),
            Err(why) => why.to_string(),
        },
        remedy: supported.is_err().then(|| {
            "real programs keep real time; scenarios that need virtual time are skipped".into()
        }),
    }
}

fn agent() -> Finding {
    let agent = emu_agent::RealAgent::find();
    Finding {
        what: "Amazon's agent",
        here: agent.is_some(),
        found: match &agent {
            Some(agent) => format!("{} in {}", agent.version(), agent.path().display()),
            None => "the twin plays it".into(),
        },
        remedy: agent
            .is_none()
            .then(|| "emu agent pull, or --agent /path/to/it".into()),
    }
}

fn program(what: &'static str, program: &str, arguments: &[&str], remedy: &str) -> Finding {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let (here, found) = match output {
        Ok(output) if output.status.success() => (
            true,
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        ),
        Ok(_) => (false, format!("`{program}` is there and does not do it")),
        Err(e) => (false, format!("`{program}`: {e}")),
    };
    Finding {
        what,
        here,
        found,
        remedy: (!here).then(|| remedy.to_owned()),
    }
}
