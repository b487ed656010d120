//! From an image to a cluster.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::Arc,
};

use emu_cluster::{
    ClusterKind,
    external::{External, ExternalConfig},
    kubernetes,
};
use testcontainers::{
    GenericImage, ImageExt as _,
    core::{CgroupnsMode, Host, IntoContainerPort as _, Mount, WaitFor},
    runners::AsyncRunner as _,
};
use tokio::sync::OnceCell;

use super::{
    ClusterImage, address, kubeconfig,
    loader::{INSIDE, Loader, Shared, run},
};
use crate::Error;

/// The port of the API server in the container.
const API_SERVER: u16 = 6443;

/// A cluster in a container. Goes when it is dropped.
#[derive(Debug)]
pub struct ClusterContainer {
    handle: Handle,
    kubeconfig: String,
}

/// What instances of the emulator share of it.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Inner>);

struct Inner {
    container: Shared,
    client: kube::Client,
    reached: IpAddr,
    listen: IpAddr,
    program: Option<PathBuf>,
    external: OnceCell<Arc<External>>,
    /// Through which images go in.
    folder: tempfile::TempDir,
}

impl ClusterContainer {
    /// Starts it and waits until its API server answers.
    ///
    /// # Errors
    /// When there is no engine, the image cannot be had, or the cluster does not become ready.
    pub async fn start(image: ClusterImage) -> Result<Self, Error> {
        let failed =
            |e: &dyn std::fmt::Display| Error::new(format!("the cluster\u{2019}s container: {e}"));
        let folder = tempfile::tempdir().map_err(|e| failed(&e))?;
        let shown = folder.path().to_string_lossy().into_owned();
        let mut request = GenericImage::new(image.name.clone(), image.tag.clone())
            .with_exposed_port(API_SERVER.tcp())
            .with_wait_for(WaitFor::message_on_either_std(&image.ready))
            .with_privileged(true)
            .with_cgroupns_mode(CgroupnsMode::Private)
            .with_mount(Mount::tmpfs_mount("/run"))
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_mount(Mount::bind_mount(shown, INSIDE))
            .with_host(address::NAME, Host::HostGateway)
            .with_startup_timeout(image.limit);
        for (name, value) in &image.env {
            request = request.with_env_var(name, value);
        }
        if !image.command.is_empty() {
            request = request.with_cmd(image.command.clone());
        }
        let container = Arc::new(request.start().await.map_err(|e| failed(&e))?);
        let host = container.get_host().await.map_err(|e| failed(&e))?;
        let port = container
            .get_host_port_ipv4(API_SERVER)
            .await
            .map_err(|e| failed(&e))?;
        let text = run(&container, &["cat", &image.kubeconfig])
            .await
            .map_err(|e| failed(&e))?;
        let mut places = vec![
            (host.to_string(), port),
            (Ipv4Addr::LOCALHOST.to_string(), port),
        ];
        if let Ok(bridge) = container.get_bridge_ip_address().await {
            places.push((bridge.to_string(), API_SERVER));
        }
        let (host, port) = address::answering(&places).await.ok_or_else(|| {
            let tried: Vec<String> = places.iter().map(|(h, p)| format!("{h}:{p}")).collect();
            failed(&format!(
                "its API server is reached at none of {}",
                tried.join(", ")
            ))
        })?;
        let kubeconfig = kubeconfig::from_outside(&text, host, *port)?;
        let route = run(&container, &["cat", "/proc/net/route"])
            .await
            .map_err(|e| failed(&e))?;
        let hosts = run(&container, &["cat", "/etc/hosts"])
            .await
            .map_err(|e| failed(&e))?;
        let (reached, listen) = address::host(&route, &hosts)
            .ok_or_else(|| failed(&"it has no route to this machine"))?;
        let client = kubernetes::client_from(&kubeconfig)
            .await
            .map_err(|e| failed(&e))?;
        kubernetes::api_ready_within(&client, image.limit)
            .await
            .map_err(|e| failed(&e))?;
        let inner = Inner {
            container,
            client,
            reached,
            listen,
            program: image.program.or_else(program),
            external: OnceCell::new(),
            folder,
        };
        Ok(Self {
            handle: Handle(Arc::new(inner)),
            kubeconfig,
        })
    }

    /// An administrator's client.
    pub fn client(&self) -> &kube::Client {
        &self.handle.0.client
    }

    /// The text of an administrator's kubeconfig, for this machine.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Handle {
    /// The cluster with what emu installs on it, the same for all instances.
    pub(crate) async fn external(&self) -> Result<Arc<External>, Error> {
        let inner = &self.0;
        let open = || async {
            let name: String = inner.container.id().chars().take(12).collect();
            let mut config = ExternalConfig::new(
                ClusterKind::Kubeconfig,
                name,
                inner.client.clone(),
                inner.reached,
            );
            config.listen = Some(inner.listen);
            config.program = Some(inner.program.clone().ok_or_else(|| {
                Error::new(
                    "the cluster\u{2019}s pods need the program emu: it is not on PATH, and ClusterImage::program names none",
                )
            })?);
            config.images = Some(Arc::new(Loader {
                container: Arc::clone(&inner.container),
                folder: inner.folder.path().to_owned(),
            }));
            Ok::<_, Error>(External::open(config).await?)
        };
        inner.external.get_or_try_init(open).await.cloned()
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "container {}", self.0.container.id())
    }
}

/// The program emu, which pods of its image run: `EMU_BIN`, else the one on `PATH`. This process is a test.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("EMU_BIN").filter(|name| !name.is_empty()) {
        return Some(named.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("emu"))
        .find(|file| file.is_file())
}
