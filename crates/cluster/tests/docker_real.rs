//! A real kind cluster, from nothing to nothing. `tests/kind/run` says with which image, and in which Docker.

use std::{path::PathBuf, process::Command};

use emu_cluster::{
    docker::{Docker, Error, Programs, Progress, Provider, Spec},
    image,
    kubernetes::node_ready,
};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};

/// The image and configuration that the suite plays with, or why it does not.
fn suite() -> Option<(String, Option<PathBuf>)> {
    match std::env::var("EMU_KIND_IMAGE") {
        Ok(image) if !image.is_empty() => {
            Some((image, std::env::var_os("EMU_KIND_CONFIG").map(Into::into)))
        }
        _ => {
            eprintln!(
                "skipped: EMU_KIND_IMAGE is not set; tests/kind/run makes an image and sets it"
            );
            None
        }
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker");
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Containers, networks and volumes.
fn inventory() -> [String; 3] {
    [
        docker(&["ps", "--all", "--format", "{{.Names}}"]),
        docker(&["network", "ls", "--format", "{{.Name}}"]),
        docker(&["volume", "ls", "--quiet"]),
    ]
}

#[tokio::test]
async fn a_real_cluster_from_nothing_to_nothing() {
    let Some((image, config)) = suite() else {
        return;
    };
    let before = inventory();
    let folder = tempfile::tempdir().unwrap();
    let here = Docker::with(Programs::on_path(), folder.path());
    let spec = Spec {
        nodes: 2,
        image: Some(image),
        config,
        ..Spec::new(Provider::Kind, "emu-driver")
    };
    let mut tell = |progress: Progress| eprintln!("{progress}");
    let cluster = here.open(&spec, &mut tell).await.unwrap();
    let client = cluster.client(&mut tell).await.unwrap();

    let nodes = Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(nodes.items.len(), 2);
    for node in &nodes.items {
        let name = node.metadata.name.as_deref().unwrap();
        node_ready(&client, name).await.unwrap();
        let taints = node
            .spec
            .as_ref()
            .and_then(|spec| spec.taints.clone())
            .unwrap_or_default();
        assert!(
            taints.iter().all(|taint| taint.key.contains("not-ready")),
            "{name}: {taints:?}"
        );
    }

    let request = http::Request::get("/.well-known/openid-configuration")
        .body(Vec::new())
        .unwrap();
    let discovery: serde_json::Value = client.request(request).await.unwrap();
    assert_eq!(discovery["issuer"], spec.issuer());

    let archive = folder.path().join("image.tar");
    image::write_archive(&archive, &[image::pause("emu.local/loaded:1")]).unwrap();
    cluster.loader().load(&archive).await.unwrap();
    for node in ["emu-driver-control-plane", "emu-driver-worker"] {
        let images = docker(&[
            "exec",
            node,
            "ctr",
            "--namespace",
            "k8s.io",
            "images",
            "ls",
            "--quiet",
        ]);
        assert!(
            images.lines().any(|name| name == "emu.local/loaded:1"),
            "{node}: {images}"
        );
    }

    // Somebody else's emu, and a stranger's.
    let error = here.open(&spec, &mut |_| {}).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    let other = tempfile::tempdir().unwrap();
    let stranger = Docker::with(Programs::on_path(), other.path());
    let error = stranger
        .open(&spec, &mut |_| {})
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");

    cluster.close(&mut tell).await.unwrap();
    assert_eq!(inventory(), before);
}

#[tokio::test]
async fn an_image_that_is_not_there_is_one_clear_error() {
    if suite().is_none() {
        return;
    }
    let before = inventory();
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        image: Some("emu.test/no-such-image:1".into()),
        ..Spec::new(Provider::Kind, "emu-no-image")
    };
    let error = Docker::with(Programs::on_path(), folder.path())
        .open(&spec, &mut |_| {})
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("failed to pull image \"emu.test/no-such-image:1\""),
        "{error}"
    );
    assert!(error.help().unwrap().contains("--cluster-image"), "{error}");
    assert_eq!(inventory(), before);
}

/// Refuses what nodes open towards this machine, as firewalld does, until it is dropped.
struct Firewall;

const RULE: [&str; 10] = [
    "INPUT",
    "!",
    "--in-interface",
    "lo",
    "--match",
    "conntrack",
    "--ctstate",
    "NEW",
    "--jump",
    "REJECT",
];

impl Firewall {
    fn build() -> Self {
        let status = Command::new("iptables").arg("--insert").args(RULE).status();
        assert!(status.expect("iptables").success());
        Self
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        let _ = Command::new("iptables").arg("--delete").args(RULE).status();
    }
}

#[tokio::test]
async fn behind_a_firewall_is_one_clear_error() {
    let Some((image, config)) = suite() else {
        return;
    };
    if std::env::var_os("EMU_KIND_FIREWALL").is_none() {
        eprintln!(
            "skipped: only in a network of its own, where tests/kind/run sets EMU_KIND_FIREWALL"
        );
        return;
    }
    let before = inventory();
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        image: Some(image),
        config,
        ..Spec::new(Provider::Kind, "emu-walled")
    };
    let wall = Firewall::build();
    let error = Docker::with(Programs::on_path(), folder.path())
        .open(&spec, &mut |_| {})
        .await
        .map(drop)
        .unwrap_err();
    drop(wall);
    assert!(
        matches!(&error, Error::NoRoute { node, .. } if node == "emu-walled-control-plane"),
        "{error}"
    );
    assert!(error.help().unwrap().contains("firewall"), "{error}");
    assert_eq!(inventory(), before);
}
