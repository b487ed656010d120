//! What a cluster is made of.

use std::{path::PathBuf, time::Duration};

/// An image whose container is a cluster, and how one tells that it is ready.
#[derive(Clone, Debug)]
pub struct ClusterImage {
    pub(super) name: String,
    pub(super) tag: String,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) ready: String,
    pub(super) kubeconfig: String,
    pub(super) limit: Duration,
    pub(super) program: Option<PathBuf>,
}

impl ClusterImage {
    /// k3s of a release, such as `v1.34.1-k3s1`. Source: k3s's documentation.
    pub fn k3s(tag: impl Into<String>) -> Self {
        Self {
            name: "rancher/k3s".into(),
            tag: tag.into(),
            command: [
                "server",
                "--disable=traefik,servicelb,metrics-server",
                "--tls-san=127.0.0.1",
                "--kube-apiserver-arg=api-audiences=https://kubernetes.default.svc,k3s",
            ]
            .map(Into::into)
            .to_vec(),
            env: Vec::new(),
            ready: "Node controller sync successful".into(),
            kubeconfig: "/etc/rancher/k3s/k3s.yaml".into(),
            limit: Duration::from_secs(300),
            program: None,
        }
    }

    /// Another image that makes itself a cluster, whose API server is on port 6443 and whose node runs containerd.
    ///
    /// `ready` is what its output says when it is, `kubeconfig` the file in it that an administrator uses.
    pub fn other(
        name: impl Into<String>,
        tag: impl Into<String>,
        ready: impl Into<String>,
        kubeconfig: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            tag: tag.into(),
            command: Vec::new(),
            env: Vec::new(),
            ready: ready.into(),
            kubeconfig: kubeconfig.into(),
            limit: Duration::from_secs(300),
            program: None,
        }
    }

    /// The command, instead of the image's own.
    #[must_use]
    pub fn command<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The program emu, of which an image is made for the cluster's pods; `EMU_BIN`, or the one on `PATH`, if not said.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// How long it may take to be ready, its pulling included; five minutes if not said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}
