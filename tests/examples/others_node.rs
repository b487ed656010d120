//! A cluster that emu did not make, for the tests of `--cluster kubeconfig`: a plain node that reaches this network
//! namespace by a link of its own. Run it in a namespace made for it (`unshare --net`), with the images it is to have:
//!
//! `others_node KUBECONFIG ARCHIVE...` prints the address of this end of the link when the node is Ready, and takes the
//! node down when its input ends.

use std::{
    error::Error,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::Command,
};

use emu_cluster::{
    kubernetes::install,
    node::{Config, Node},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HERE: &str = "10.123.0.1";
const THERE: &str = "10.123.0.2";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let kubeconfig = arguments.next().ok_or("a path for the kubeconfig")?;
    ip(&["link", "set", "lo", "up"])?;
    let binaries = install::installed().pop().ok_or("no Kubernetes here")?;
    let mut config = Config::new(binaries);
    config.issuer = "https://issuer.of.somebody.else".into();
    config.images = arguments.collect();
    let node = Node::start(config).await?;
    join(&node)?;
    let text = std::fs::read_to_string(node.kubeconfig())?;
    let mut value: serde_json::Value = serde_json::from_str(&text)?;
    let named = value["current-context"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for context in value["contexts"].as_array_mut().into_iter().flatten() {
        if context["name"] == named.as_str() {
            context["name"] = "others".into();
        }
    }
    value["current-context"] = "others".into();
    std::fs::write(&kubeconfig, value.to_string())?;
    println!("{HERE}");
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    node.stop().await?;
    Ok(())
}

/// A link between this namespace and the node's, and the way to the pods behind it.
fn join(node: &Node) -> Result<()> {
    let us = std::process::id().to_string();
    let inside = |words: &[&str]| -> Result<()> {
        let mut command = Command::new("ip");
        command.args(words);
        let status = node.inside().spawn(command)?.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("inside the node, ip {}: {status}", words.join(" ")).into()),
        }
    };
    inside(&[
        "link", "add", "here0", "type", "veth", "peer", "name", "node1", "netns", &us,
    ])?;
    inside(&["addr", "add", &format!("{THERE}/30"), "dev", "here0"])?;
    inside(&["link", "set", "here0", "up"])?;
    ip(&["addr", "add", &format!("{HERE}/30"), "dev", "node1"])?;
    ip(&["link", "set", "node1", "up"])?;
    let pods = node.config().addresses.pods.clone();
    ip(&["route", "add", &pods, "via", THERE])
}

fn ip(words: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(words).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("ip {}: {status}", words.join(" ")).into()),
    }
}
