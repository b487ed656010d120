//! What Docker says of itself and of its containers.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Deserialize;

use super::{Error, command::Commands};

/// A Docker Engine that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its version.
    pub version: String,
    /// What it runs on, in its own words: `Debian GNU/Linux 12 (bookworm)`, `Docker Desktop`.
    pub system: String,
    /// It runs as an ordinary user, in a network of its own.
    pub rootless: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Info {
    server_version: String,
    operating_system: String,
    security_options: Option<Vec<String>>,
    server_errors: Option<Vec<String>>,
}

/// A container, as far as we need to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) running: bool,
    /// Gateways by network, IPv4 and IPv6.
    pub(super) gateways: BTreeMap<String, Vec<IpAddr>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    state: State,
    network_settings: NetworkSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    running: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default)]
    networks: BTreeMap<String, Network>,
}

#[derive(Deserialize)]
struct Network {
    #[serde(rename = "Gateway", default)]
    gateway: String,
    #[serde(rename = "IPv6Gateway", default)]
    ipv6_gateway: String,
}

impl Commands {
    /// Asks the engine who it is.
    pub(super) async fn engine(&self) -> Result<Engine, Error> {
        let answer = self
            .ask(&["docker", "info", "--format", "{{json .}}"])
            .await?;
        // Some clients succeed without an engine, and say so in their answer only.
        let info = serde_json::from_str::<Info>(answer.stdout.trim()).unwrap_or_default();
        let errors = info.server_errors.unwrap_or_default();
        if !answer.success || !errors.is_empty() || info.server_version.is_empty() {
            let said = [errors.join("; "), answer.stderr.trim().to_owned()];
            let said = said.into_iter().find(|said| !said.is_empty());
            return Err(Error::Engine {
                said: said.unwrap_or_else(|| "it said nothing".into()),
            });
        }
        Ok(Engine {
            version: info.server_version,
            system: info.operating_system,
            rootless: info
                .security_options
                .unwrap_or_default()
                .iter()
                .any(|option| option.contains("rootless")),
        })
    }

    /// Looks at a container; none if there is no such one.
    pub(super) async fn container(&self, name: &str) -> Result<Option<Container>, Error> {
        let words = ["docker", "container", "inspect", name];
        let answer = self.ask(&words).await?;
        if !answer.success && answer.stderr.to_lowercase().contains("no such container") {
            return Ok(None);
        }
        let command = answer.command.clone();
        let bad = |why: String| Error::Answer {
            command: command.clone(),
            why,
        };
        let found: Vec<Inspected> =
            serde_json::from_str(&answer.ok()?).map_err(|e| bad(e.to_string()))?;
        let found = found.into_iter().next();
        let found = found.ok_or_else(|| bad("an empty list".into()))?;
        let gateways = found
            .network_settings
            .networks
            .into_iter()
            .map(|(name, network)| {
                let both = [network.gateway, network.ipv6_gateway];
                (name, both.iter().flat_map(|ip| ip.parse()).collect())
            })
            .collect();
        Ok(Some(Container {
            id: found.id,
            running: found.state.running,
            gateways,
        }))
    }

    /// Whether there is a network of that name.
    pub(super) async fn has_network(&self, name: &str) -> Result<bool, Error> {
        let words = [
            "docker",
            "network",
            "ls",
            "--filter",
            &format!("name=^{name}$"),
            "--format",
            "{{.Name}}",
        ];
        let listed = self.ask(&words).await?.ok()?;
        Ok(listed.lines().any(|line| line.trim() == name))
    }
}
