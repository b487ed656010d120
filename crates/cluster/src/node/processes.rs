//! The processes of a node and their settings. Why each setting is there stands beside it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Error, config::Config, pki::Pki, protocol::Spawn};

/// The name of the pause image, which every pod's sandbox runs.
pub const PAUSE_IMAGE: &str = "emu.local/pause:1";

/// Where etcd listens, inside the node.
const ETCD: &str = "http://127.0.0.1:2379";

/// Controllers of the controller manager: what pods, Deployments and service accounts need.
const CONTROLLERS: &str = "serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
namespace-controller,garbage-collector-controller,pod-garbage-collector-controller,node-lifecycle-controller,\
taint-eviction-controller,daemonset-controller,deployment-controller,replicaset-controller,statefulset-controller,\
job-controller,cronjob-controller,disruption-controller,endpoints-controller,endpointslice-controller,\
clusterrole-aggregation-controller,ttl-after-finished-controller";

/// Paths and settings that the command lines are made from.
pub(crate) struct Processes<'a> {
    pub(crate) config: &'a Config,
    pub(crate) run: &'a Path,
    pub(crate) pki: &'a Path,
}

impl Processes<'_> {
    fn path(&self, name: &str) -> String {
        self.run.join(name).to_string_lossy().into_owned()
    }

    fn pki(&self, name: &str) -> String {
        self.pki.join(name).to_string_lossy().into_owned()
    }

    /// The socket at which a process reports that it is ready, as it would to systemd.
    pub(crate) fn notify_socket(&self, name: &str) -> PathBuf {
        self.run.join(format!("{name}.notify"))
    }

    /// containerd's socket.
    pub(crate) fn containerd_socket(&self) -> String {
        self.path("containerd.sock")
    }

    fn spawn(&self, name: &str, program: String, flags: Vec<String>) -> Spawn {
        let mut argv = vec![program];
        argv.extend(flags);
        let notify = self.notify_socket(name);
        Spawn {
            name: name.into(),
            argv,
            env: vec![(
                "NOTIFY_SOCKET".into(),
                notify.to_string_lossy().into_owned(),
            )],
            log: self.run.join("log").join(format!("{name}.log")),
        }
    }

    fn binary(&self, name: &str) -> String {
        self.config
            .binaries
            .join(name)
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) fn etcd(&self) -> Spawn {
        let flags = vec![
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={ETCD}"),
            format!("--advertise-client-urls={ETCD}"),
            "--listen-peer-urls=http://127.0.0.1:2380".into(),
            // The data does not outlive the run.
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ];
        self.spawn("etcd", self.binary("etcd"), flags)
    }

    pub(crate) fn api_server(&self) -> Spawn {
        let config = self.config;
        let mut flags = vec![
            format!("--etcd-servers={ETCD}"),
            "--bind-address=0.0.0.0".into(),
            "--secure-port=6443".into(),
            format!("--advertise-address={}", config.addresses.node),
            format!("--tls-cert-file={}", self.pki("apiserver.crt")),
            format!("--tls-private-key-file={}", self.pki("apiserver.key")),
            format!("--client-ca-file={}", self.pki("ca.crt")),
            format!("--kubelet-certificate-authority={}", self.pki("ca.crt")),
            format!(
                "--kubelet-client-certificate={}",
                self.pki("kubelet-client.crt")
            ),
            format!("--kubelet-client-key={}", self.pki("kubelet-client.key")),
            format!("--service-account-issuer={}", config.issuer),
            format!("--service-account-key-file={}", self.pki("sa.pub")),
            format!("--service-account-signing-key-file={}", self.pki("sa.key")),
            format!(
                "--api-audiences=https://kubernetes.default.svc,{}",
                config.issuer
            ),
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            "--allow-privileged=true".into(),
            // Without it, logs and exec hang on a look-up of the node's name.
            "--kubelet-preferred-address-types=InternalIP".into(),
            format!("--service-cluster-ip-range={}", config.addresses.services),
            // Its own health checks of peers and audit are of no use here; less work at start.
            "--profiling=false".into(),
        ];
        if config.launcher.jumps() {
            // After a jump the kubelet takes itself for unhealthy until it has looked around, and the next jump would make
            // the five minutes that pods tolerate that.
            for condition in ["not-ready", "unreachable"] {
                flags.push(format!(
                    "--default-{condition}-toleration-seconds=315360000"
                ));
            }
        }
        flags.extend(config.api_server_flags.iter().cloned());
        self.spawn("kube-apiserver", self.binary("kube-apiserver"), flags)
    }

    pub(crate) fn controller_manager(&self) -> Spawn {
        let mut flags = vec![
            format!("--kubeconfig={}", self.pki("admin.conf")),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            "--use-service-account-credentials=false".into(),
            // With the defaults its own throttling delays the first service account by seconds.
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            format!("--controllers={CONTROLLERS}"),
            format!("--service-account-private-key-file={}", self.pki("sa.key")),
            format!("--root-ca-file={}", self.pki("ca.crt")),
            format!("--flex-volume-plugin-dir={}", self.path("volume-plugins")),
            "--profiling=false".into(),
        ];
        if self.config.launcher.jumps() {
            // A jump must not look as if the kubelet had been silent all the while, or pods would be evicted.
            flags.push("--node-monitor-grace-period=87600h".into());
        }
        self.spawn(
            "kube-controller-manager",
            self.binary("kube-controller-manager"),
            flags,
        )
    }

    pub(crate) fn scheduler(&self) -> Spawn {
        let flags = vec![
            format!("--kubeconfig={}", self.pki("scheduler.conf")),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            "--profiling=false".into(),
        ];
        self.spawn("kube-scheduler", self.binary("kube-scheduler"), flags)
    }

    pub(crate) fn kubelet(&self) -> Spawn {
        let config = self.config;
        let mut flags = vec![
            format!("--config={}", self.path("kubelet.yaml")),
            format!("--kubeconfig={}", self.pki("node.conf")),
            format!("--root-dir={}", self.path("kubelet")),
            format!("--cert-dir={}", self.path("kubelet-pki")),
            format!("--hostname-override={}", config.name),
            format!("--node-ip={}", config.addresses.node),
            "--v=2".into(),
        ];
        if !config.labels.is_empty() {
            let labels: Vec<String> = config
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            flags.push(format!("--node-labels={}", labels.join(",")));
        }
        self.spawn("kubelet", self.binary("kubelet"), flags)
    }

    pub(crate) fn containerd(&self) -> Spawn {
        let flags = vec!["--config".into(), self.path("containerd.toml")];
        self.spawn("containerd", "containerd".into(), flags)
    }

    /// `ctr` importing an OCI archive.
    pub(crate) fn import(&self, name: &str, archive: &Path) -> Spawn {
        Spawn {
            name: name.into(),
            argv: vec![
                "ctr".into(),
                format!("--address={}", self.containerd_socket()),
                "--namespace=k8s.io".into(),
                "images".into(),
                "import".into(),
                archive.to_string_lossy().into_owned(),
            ],
            env: Vec::new(),
            log: self.run.join("log").join("import.log"),
        }
    }

    /// `ctr` killing a container's first process.
    pub(crate) fn kill_container(&self, name: &str, id: &str) -> Spawn {
        Spawn {
            name: name.into(),
            argv: vec![
                "ctr".into(),
                format!("--address={}", self.containerd_socket()),
                "--namespace=k8s.io".into(),
                "tasks".into(),
                "kill".into(),
                "--signal=SIGKILL".into(),
                id.into(),
            ],
            env: Vec::new(),
            log: self.run.join("log").join("kill.log"),
        }
    }

    /// Writes the configuration files that the command lines name.
    pub(crate) fn write_files(&self) -> Result<(), Error> {
        let cni = self.run.join("cni");
        for folder in ["log", "cni"] {
            let folder = self.run.join(folder);
            std::fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
        }
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).map_err(Error::file("writing", path))
        };
        write(cni.join("10-emu.conflist"), self.cni().to_string())?;
        write(self.run.join("containerd.toml"), self.containerd_toml())?;
        write(
            self.run.join("kubelet.yaml"),
            self.kubelet_config().to_string(),
        )
    }

    fn cni(&self) -> serde_json::Value {
        json!({
            "cniVersion": "0.4.0",
            "name": "emu",
            "plugins": [
                {
                    "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
                    "ipam": {
                        "type": "host-local", "dataDir": self.path("ipam"),
                        "ranges": [[{"subnet": self.config.addresses.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": true}},
            ],
        })
    }

    fn kubelet_config(&self) -> serde_json::Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": self.pki("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": self.pki("kubelet.crt"),
            "tlsPrivateKeyFile": self.pki("kubelet.key"),
            "containerRuntimeEndpoint": format!("unix://{}", self.containerd_socket()),
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": false,
            "failSwapOn": false,
            "protectKernelDefaults": false,
            // The hard limit cannot be raised without CAP_SYS_RESOURCE.
            "maxOpenFiles": 20000,
            "oomScoreAdj": 0,
            "podLogsDir": self.path("pod-logs"),
            "volumePluginDir": self.path("volume-plugins"),
            "resolvConf": self.path("resolv.conf"),
            "evictionHard": {
                "memory.available": "50Mi", "nodefs.available": "0%",
                "nodefs.inodesFree": "0%", "imagefs.available": "0%",
            },
            "imageGCHighThresholdPercent": 100,
            "registerNode": true,
            // Pods end at once when their node does; deletions should not wait either.
            "shutdownGracePeriod": "0s",
            "nodeStatusUpdateFrequency": "2s",
            "syncFrequency": "10s",
        })
    }

    fn containerd_toml(&self) -> String {
        let snapshotter = if super::platform::is_overlay(self.run) {
            // overlayfs cannot lie on overlayfs.
            "native"
        } else {
            "overlayfs"
        };
        // Without CAP_SYS_RESOURCE no score below our own may be set.
        let restrict = !super::platform::may_raise_limits();
        format!(
            r#"version = 2
root = "{root}"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs","io.containerd.snapshotter.v1.zfs","io.containerd.snapshotter.v1.aufs","io.containerd.snapshotter.v1.devmapper","io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{ttrpc}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = {restrict}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_bin}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"#,
            root = self.path("containerd"),
            socket = self.containerd_socket(),
            ttrpc = self.path("containerd.ttrpc"),
            opt = self.path("opt"),
            cni = self.path("cni"),
            cni_bin = super::platform::cni_folder().display(),
        )
    }
}

/// Makes the certificates and then the files. The service account key is made beside it, as it takes longest.
pub(crate) fn prepare(config: &Config, run: &Path) -> Result<Pki, Error> {
    let folder = run.join("pki");
    let key_folder = folder.clone();
    let key = std::thread::Builder::new()
        .name("emu-rsa".into())
        .spawn(move || super::pki::create_service_account_key(&key_folder))
        .map_err(Error::system("starting a thread"))?;
    let pki = Pki::create(&folder, &config.name, &config.addresses)?;
    key.join()
        .map_err(|_| Error::Certificate("the key's thread panicked".into()))??;
    Ok(pki)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_and_the_paths_are_in_the_command_lines() {
        let mut config = Config::new("/cache/1.34.4");
        config.issuer = "https://issuer.test/id/A".into();
        config.labels = vec![("a".into(), "b".into())];
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path().join("pki");
        let processes = Processes {
            config: &config,
            run: dir.path(),
            pki: &pki,
        };
        let api = processes.api_server();
        assert_eq!(api.argv[0], "/cache/1.34.4/kube-apiserver");
        assert!(
            api.argv
                .contains(&"--service-account-issuer=https://issuer.test/id/A".into())
        );
        assert!(
            processes
                .kubelet()
                .argv
                .contains(&"--node-labels=a=b".into())
        );
        processes.write_files().unwrap();
        let text = std::fs::read_to_string(dir.path().join("kubelet.yaml")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["failCgroupV1"], false);
        assert!(dir.path().join("containerd.toml").exists());
    }
}
