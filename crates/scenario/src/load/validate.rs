//! What the types alone cannot say: names that must exist, and be unique.

use std::{collections::BTreeMap, path::Path};

use super::{LoadError, nearest};
use crate::{
    file::{Located, Scenario, Trust},
    verb::TokenSource,
};

/// Checks a scenario.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn validate(file: &Path, text: &str, scenario: &Scenario) -> Result<(), LoadError> {
    Checker {
        file,
        text,
        scenario,
    }
    .check()
}

struct Checker<'a> {
    file: &'a Path,
    text: &'a str,
    scenario: &'a Scenario,
}

type Name = Located<String>;

impl Checker<'_> {
    fn check(&self) -> Result<(), LoadError> {
        let given = &self.scenario.given;
        self.required(&self.scenario.scenario, "scenario")?;
        self.unique("account", given.accounts.iter().map(|a| &a.id))?;
        self.unique("cluster", given.clusters.iter().map(|c| &c.name))?;
        self.unique("node", given.nodes.iter().map(|n| &n.name))?;
        self.unique("bucket", given.buckets.iter().map(|b| &b.name))?;
        self.unique("client", given.clients.iter().map(|c| &c.name))?;
        self.unique(
            "step",
            self.scenario.steps.iter().filter_map(|s| s.name.as_ref()),
        )?;
        self.unique_in(
            "role",
            given
                .roles
                .iter()
                .map(|r| (key(r.account.as_ref()), &r.name)),
        )?;
        self.unique_in(
            "pod",
            given
                .pods
                .iter()
                .map(|p| (p.namespace().to_owned(), &p.name)),
        )?;
        self.unique_in(
            "association",
            given.associations.iter().map(|a| {
                (
                    format!("{}/{}", key(a.cluster.as_ref()), a.namespace.value),
                    &a.service_account,
                )
            }),
        )?;
        self.unique("program", self.programs())?;
        let roles: Vec<&str> = self.role_names();
        for association in &given.associations {
            self.required(&association.namespace, "namespace")?;
            self.required(&association.service_account, "serviceAccount")?;
            for role in association.role.iter().chain(&association.target_role) {
                self.known("role", role, &roles)?;
            }
        }
        for node in &given.nodes {
            let imds = node.imds.as_ref().and_then(|i| i.node_role.as_ref());
            for role in node.role.iter().chain(imds) {
                self.known("role", role, &roles)?;
            }
        }
        let pods: Vec<&str> = self.pod_names();
        for client in &given.clients {
            self.known("pod", &client.pod, &pods)?;
        }
        for role in &given.roles {
            if let Some(Trust::Named(name)) = &role.trust
                && !name.trim_start().starts_with('{')
                && !Trust::NAMES.contains(&name.as_str())
                && nearest(name, Trust::NAMES).is_some()
            {
                return Err(self.wrong(
                    &role.name,
                    format!("role `{}`: `{name}` is no trust policy", role.name),
                    help(name, &Trust::NAMES),
                ));
            }
        }
        self.steps()
    }

    fn steps(&self) -> Result<(), LoadError> {
        let pods = self.pod_names();
        let roles = self.role_names();
        let clients: Vec<&str> = self
            .scenario
            .given
            .clients
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        for step in &self.scenario.steps {
            if let Err(found) = step.verb() {
                let message = match found.as_slice() {
                    [] => "the step has no verb".to_owned(),
                    several => format!(
                        "the step has {} verbs: {}",
                        several.len(),
                        several.join(", ")
                    ),
                };
                return Err(self.wrong(
                    step,
                    message,
                    Some("exactly one of create, update, delete, restart, call, fetch, exec, wait, advance, advanceTo, step, rotate, token, fault".into()),
                ));
            }
            let in_call = step.call.as_ref().and_then(|c| c.pod.as_ref());
            let in_fetch = step.fetch.as_ref().map(|f| &f.pod);
            let in_exec = step.exec.as_ref().map(|e| &e.pod);
            let in_token = step.token.as_ref().and_then(|t| t.pod.as_ref());
            let all = in_call.into_iter().chain(in_fetch).chain(in_exec);
            for pod in all.chain(in_token) {
                self.known("pod", pod, &pods)?;
            }
            if let Some(TokenSource::Kept { kept }) =
                step.fetch.as_ref().and_then(|f| f.token.as_ref())
            {
                let steps = self.scenario.steps.iter();
                let tokens: Vec<&str> = steps
                    .filter_map(|s| Some(s.token.as_ref()?.keep.as_str()))
                    .collect();
                self.known("token", kept, &tokens)?;
            }
            if let Some(wait) = &step.wait {
                let programs: Vec<&str> = self.programs().map(|p| p.as_str()).collect();
                self.known("program", &wait.program, &programs)?;
            }
            if let Some(call) = &step.call {
                if let Some(client) = &call.client {
                    self.known("client", client, &clients)?;
                }
                if let Some(role) = &call.role {
                    self.known("role", role, &roles)?;
                }
            }
            let association = step
                .create
                .as_ref()
                .and_then(|c| c.association.as_ref())
                .into_iter()
                .chain(step.update.as_ref().and_then(|u| u.association.as_ref()));
            for association in association {
                for role in association.role.iter().chain(&association.target_role) {
                    self.known("role", role, &roles)?;
                }
            }
        }
        Ok(())
    }

    fn role_names(&self) -> Vec<&str> {
        let created = self
            .scenario
            .steps
            .iter()
            .filter_map(|s| s.create.as_ref()?.role.as_ref());
        let given = self.scenario.given.roles.iter();
        given.chain(created).map(|r| r.name.as_str()).collect()
    }

    fn pod_names(&self) -> Vec<&str> {
        let created = self
            .scenario
            .steps
            .iter()
            .filter_map(|s| s.create.as_ref()?.pod.as_ref());
        let given = self.scenario.given.pods.iter();
        given.chain(created).map(|p| p.name.as_str()).collect()
    }

    /// What runs in the background.
    fn programs(&self) -> impl Iterator<Item = &Name> {
        let steps = self.scenario.steps.iter();
        steps.filter_map(|s| s.exec.as_ref()?.background.as_ref())
    }

    fn required(&self, name: &Name, key: &str) -> Result<(), LoadError> {
        if name.is_empty() {
            let help = Some(format!("give it a `{key}`"));
            return Err(self.wrong(name, format!("`{key}` is missing or empty"), help));
        }
        Ok(())
    }

    fn known(&self, what: &str, name: &Name, known: &[&str]) -> Result<(), LoadError> {
        // An ARN may name what the scenario does not create; a pod may be named with its namespace.
        let last = name.rsplit('/').next().unwrap_or_default();
        if name.starts_with("arn:")
            || known.contains(&name.as_str())
            || (what == "pod" && known.contains(&last))
        {
            return Ok(());
        }
        Err(self.wrong(name, format!("unknown {what} `{name}`"), help(name, known)))
    }

    fn unique<'n>(
        &self,
        what: &str,
        names: impl Iterator<Item = &'n Name>,
    ) -> Result<(), LoadError> {
        self.unique_in(what, names.map(|name| (String::new(), name)))
    }

    fn unique_in<'n>(
        &self,
        what: &str,
        names: impl Iterator<Item = (String, &'n Name)>,
    ) -> Result<(), LoadError> {
        let mut seen: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for (scope, name) in names {
            if let Some(line) = seen.insert((scope, name.as_str()), name.line) {
                return Err(self.wrong(
                    name,
                    format!("{what} `{name}` is there twice"),
                    Some(format!("the first one is in line {line}")),
                ));
            }
        }
        Ok(())
    }

    fn wrong<T>(&self, place: &Located<T>, message: String, help: Option<String>) -> LoadError {
        LoadError::content(
            self.file,
            self.text,
            (place.line, place.column),
            message,
            help,
        )
    }
}

fn key(name: Option<&Name>) -> String {
    name.map(|n| n.value.clone()).unwrap_or_default()
}

fn help(word: &str, known: &[&str]) -> Option<String> {
    match nearest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => Some("the scenario has none".into()),
        None => Some(format!("known here: {}", known.join(", "))),
    }
}
