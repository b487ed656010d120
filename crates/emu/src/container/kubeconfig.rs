//! A kubeconfig that works from outside the container.

use kube::config::Kubeconfig;

use crate::Error;

/// The same with the API server at a port of this machine. Its certificate knows it under other names.
pub(super) fn from_outside(text: &str, host: &str, port: u16) -> Result<String, Error> {
    let mut config = Kubeconfig::from_yaml(text)
        .map_err(|e| Error::new(format!("the kubeconfig in the container: {e}")))?;
    for cluster in &mut config.clusters {
        let Some(cluster) = &mut cluster.cluster else {
            continue;
        };
        cluster.server = Some(format!("https://{host}:{port}"));
        // kubeadm, k3s and k0s all put this name into it.
        cluster.tls_server_name = Some("kubernetes".into());
    }
    // JSON is YAML.
    serde_json::to_string(&config)
        .map_err(|e| Error::new(format!("the kubeconfig in the container: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_at_a_port_of_this_machine() {
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: default\n\
            clusters: [{name: default, cluster: {server: \"https://127.0.0.1:6443\", certificate-authority-data: YQ==}}]\n\
            contexts: [{name: default, context: {cluster: default, user: default}}]\nusers: [{name: default, user: {token: t}}]\n";
        let config = from_outside(text, "localhost", 40001).unwrap();
        let config = Kubeconfig::from_yaml(&config).unwrap();
        let cluster = config.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://localhost:40001"));
        assert_eq!(cluster.tls_server_name.as_deref(), Some("kubernetes"));
        assert!(from_outside("clusters: no", "localhost", 1).is_err());
    }
}
