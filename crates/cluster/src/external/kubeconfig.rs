//! Contexts of kubeconfig files.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket},
    path::PathBuf,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::config::{Access, ExternalConfig};
use crate::cluster::{ClusterError, ClusterKind, Result};

/// The kubeconfig files that kubectl would read: those of `KUBECONFIG`, else `~/.kube/config`.
pub fn kubeconfig_files() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match set("KUBECONFIG") {
        Some(files) => std::env::split_paths(&files)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => set("HOME")
            .map(|home| PathBuf::from(home).join(".kube").join("config"))
            .into_iter()
            .collect(),
    }
}

fn bad(what: &str, why: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubernetes {
        what: what.to_owned(),
        message: why.to_string(),
    }
}

fn read(files: &[PathBuf]) -> Result<Kubeconfig> {
    let mut merged = Kubeconfig::default();
    for file in files.iter().filter(|file| file.exists()) {
        let one = Kubeconfig::read_from(file)
            .and_then(|one| merged.merge(one))
            .map_err(|e| bad(&format!("{}", file.display()), e))?;
        merged = one;
    }
    Ok(merged)
}

/// The names of the contexts in these files, in order.
///
/// # Errors
/// When a file is no kubeconfig.
pub fn contexts(files: &[PathBuf]) -> Result<Vec<String>> {
    let config = read(files)?;
    Ok(config.contexts.into_iter().map(|one| one.name).collect())
}

impl Access {
    /// An administrator's client.
    ///
    /// # Errors
    /// When there is no such context, or its credentials are of no use.
    pub async fn client(&self) -> Result<Client> {
        let config = self.configuration().await?;
        Client::try_from(config).map_err(|e| bad(&format!("context {}", self.context), e))
    }

    async fn configuration(&self) -> Result<Config> {
        let options = KubeConfigOptions {
            context: Some(self.context.clone()),
            ..KubeConfigOptions::default()
        };
        let what = format!("context {}", self.context);
        Config::from_custom_kubeconfig(read(&self.kubeconfig)?, &options)
            .await
            .map_err(|e| bad(&what, e))
    }
}

impl ExternalConfig {
    /// The cluster of a context. `host` is the address of this machine at which the cluster reaches it; the one that this
    /// machine uses towards the API server if absent.
    ///
    /// # Errors
    /// When there is no such context, or no way to the API server.
    pub async fn of_context(access: Access, host: Option<IpAddr>) -> Result<Self> {
        let config = access.configuration().await?;
        let host = match host {
            Some(host) => host,
            None => towards(&config.cluster_url)?,
        };
        let client =
            Client::try_from(config).map_err(|e| bad(&format!("context {}", access.context), e))?;
        let mut external = Self::new(ClusterKind::Kubeconfig, &access.context, client, host);
        external.access = Some(access);
        Ok(external)
    }
}

/// The address that this machine uses towards a server.
fn towards(server: &http::Uri) -> Result<IpAddr> {
    let what = "the address at which the cluster reaches this machine";
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(443);
    let address = (host, port)
        .to_socket_addrs()
        .map_err(|e| bad(what, format!("{host}: {e}")))?
        .next()
        .ok_or_else(|| bad(what, format!("{host} has no address")))?;
    local_towards(address).map_err(|e| bad(what, format!("{e}; name it with --host-address")))
}

/// No packet is sent: connecting a UDP socket only asks for the way.
fn local_towards(address: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_loopback_is_from_loopback() {
        let uri: http::Uri = "https://127.0.0.1:6443".parse().unwrap();
        assert!(towards(&uri).unwrap().is_loopback());
    }

    #[test]
    fn contexts_of_several_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            let text = format!(
                "apiVersion: v1\nkind: Config\ncontexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]\nclusters: []\nusers: []\n"
            );
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [file("one"), folder.path().join("none"), file("two")];
        assert_eq!(contexts(&files).unwrap(), ["one", "two"]);
        std::fs::write(&files[0], "contexts: 5").unwrap();
        assert!(contexts(&files).is_err());
    }
}
