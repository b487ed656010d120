//! A client from a kubeconfig, and waiting for a cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::{Condition, await_condition},
};

use super::Error;

/// A client from the text of a kubeconfig, for its current context.
///
/// # Errors
/// When the text is no kubeconfig, or its certificates are of no use.
pub async fn client_from(kubeconfig: &str) -> Result<Client, Error> {
    let bad = |e: kube::config::KubeconfigError| Error::Kubeconfig(e.to_string());
    let parsed = Kubeconfig::from_yaml(kubeconfig).map_err(bad)?;
    let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .map_err(bad)?;
    // Nothing of ours is ever behind a proxy of the environment.
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// Waits until the API server says that it is ready. There is nothing to watch before that, so it is asked.
///
/// # Errors
/// When the request cannot be made.
pub async fn api_ready(client: &Client) -> Result<(), Error> {
    ask_until_ready(client, &mut None).await
}

/// The same, for this long at most.
///
/// # Errors
/// When it does not say so in time: with what came of the last time it was asked.
pub async fn api_ready_within(client: &Client, limit: Duration) -> Result<(), Error> {
    let mut last = None;
    match tokio::time::timeout(limit, ask_until_ready(client, &mut last)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Wait {
            what: format!("the API server, {} s", limit.as_secs()),
            why: last.map_or_else(|| "no answer".into(), |e| chain(&e)),
        }),
    }
}

async fn ask_until_ready(client: &Client, last: &mut Option<kube::Error>) -> Result<(), Error> {
    loop {
        let request = http::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|e| Error::Object(e.to_string()))?;
        match client.request_text(request).await {
            Ok(_) => return Ok(()),
            Err(e) => *last = Some(e),
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// An error with its causes: that a connection failed says less than why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Whether a Node object says that it is Ready.
pub fn is_node_ready() -> impl Condition<Node> {
    |node: Option<&Node>| {
        node.and_then(|node| node.status.as_ref())
            .and_then(|status| status.conditions.as_ref())
            .is_some_and(|conditions| {
                conditions
                    .iter()
                    .any(|c| c.type_ == "Ready" && c.status == "True")
            })
    }
}

/// Waits until a node is Ready.
///
/// # Errors
/// When the watch fails.
pub async fn node_ready(client: &Client, name: &str) -> Result<(), Error> {
    await_condition(Api::<Node>::all(client.clone()), name, is_node_ready())
        .await
        .map(drop)
        .map_err(|e| Error::Wait {
            what: format!("node {name}"),
            why: e.to_string(),
        })
}
