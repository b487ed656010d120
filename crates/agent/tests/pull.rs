//! Amazon's agent is fetched from a real registry server on loopback.

use std::{
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use emu_agent::{PullArgs, RealAgent, pull};
use flate2::{Compression, write::GzEncoder};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    secrets::RegistryAuth,
};

struct Registry {
    child: Child,
    port: u16,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// Starts Debian's `docker-registry`; nothing if it is not installed.
    async fn start(directory: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = directory.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            directory.join("storage").display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let registry = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "docker-registry does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(registry)
    }

    fn image(&self) -> String {
        format!("127.0.0.1:{}/eks/eks-pod-identity-agent", self.port)
    }

    async fn push(&self, version: &str, files: &[(&str, &[u8])]) {
        let layer = ImageLayer::oci_v1_gzip(archive(files), None);
        let other = ImageLayer::oci_v1_gzip(archive(&[("go-runner", b"other")]), None);
        let config = Config::oci_v1(
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
                .to_vec(),
            None,
        );
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            ..ClientConfig::default()
        });
        let reference: Reference = format!("{}:{version}", self.image()).parse().unwrap();
        client
            .push(
                &reference,
                &[layer, other],
                config,
                &RegistryAuth::Anonymous,
                None,
            )
            .await
            .unwrap();
    }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    let mut gzip = builder.into_inner().unwrap();
    gzip.flush().unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn from_a_registry() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(directory.path()).await else {
        eprintln!("skipped: docker-registry is not installed");
        return;
    };
    let program: &[u8] = b"#!/bin/sh\necho agent\n";
    registry
        .push(
            "0.1.37",
            &[("etc/passwd", b"root"), ("eks-pod-identity-agent", program)],
        )
        .await;
    registry.push("0.0.1", &[("etc/passwd", b"root")]).await;

    let cache = directory.path().join("cache");
    let mut args = PullArgs {
        image: registry.image(),
        plain_http: true,
        cache: Some(cache.clone()),
        ..PullArgs::default()
    };
    let agent = pull(&args).await.unwrap();
    assert_eq!(agent.version(), "0.1.37");
    assert_eq!(std::fs::read(agent.path()).unwrap(), program);
    assert_eq!(
        std::fs::metadata(agent.path())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    assert_eq!(RealAgent::find_in(&cache), Some(agent.clone()));
    let kept: Vec<_> = std::fs::read_dir(agent.path().parent().unwrap())
        .unwrap()
        .collect();
    assert_eq!(kept.len(), 1, "nothing else of the image is kept");

    args.version = "0.0.1".into();
    let error = pull(&args).await.unwrap_err().to_string();
    assert!(
        error.contains("does not contain /eks-pod-identity-agent"),
        "{error}"
    );
    args.version = "9.9.9".into();
    assert!(pull(&args).await.is_err());
    args.version = "not a tag".into();
    assert!(
        pull(&args)
            .await
            .unwrap_err()
            .to_string()
            .contains("is not an image reference")
    );
    assert_eq!(RealAgent::find_in(&cache), Some(agent));
}
