//! Exactly what we ask of `docker`, `kind` and `k3d`, and what we do with each documented answer: the programs are scripts here.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use emu_cluster::docker::{Docker, Error, IpFamily, Programs, Progress, Provider, Spec};

/// A Docker with a network `kind` behind whose gateway, loopback, is this machine.
const DOCKER: &str = r#"
case "$*" in
  info*) echo '{"ServerVersion":"28.2.2","OperatingSystem":"Debian GNU/Linux 12 (bookworm)","SecurityOptions":["name=seccomp,profile=builtin"]}' ;;
  "network ls"*) cat "$HERE/networks" 2>/dev/null || true ;;
  "network rm "*) ;;
  "container inspect "*)
    if [ ! -f "$HERE/clusters" ]; then echo "Error: No such container: $3" >&2; exit 1; fi
    echo '[{"Id":"'"$(cat "$HERE/id" 2>/dev/null || echo first)"'","State":{"Running":'"$([ -f "$HERE/stopped" ] && echo false || echo true)"'},
      "NetworkSettings":{"Networks":{"kind":{"Gateway":"127.0.0.1","IPv6Gateway":"fc00:f853:ccd:e793::1"}}}}]' ;;
  start*) rm -f "$HERE/stopped" ;;
  exec*) shift 2; exec "$@" ;;
  *) echo "unknown: $*" >&2; exit 125 ;;
esac
"#;

const KIND: &str = r#"
case "$*" in
  "get clusters") if [ -f "$HERE/clusters" ]; then cat "$HERE/clusters"; else echo "No kind clusters found." >&2; fi ;;
  "create cluster"*)
    echo 'Creating cluster "emu" ...' >&2; echo ' • Ensuring node image (kindest/node:v1.34.0) 🖼️  ...' >&2
    cp "$6" "$HERE/config"; echo "$4" > "$HERE/clusters"; echo kubeconfig > "$8" ;;
  "get kubeconfig"*) echo "kubeconfig again" ;;
  "load image-archive"*) ;;
  "delete cluster"*) rm -f "$HERE/clusters" ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
"#;

const K3D: &str = r#"
case "$*" in
  "cluster list --output json") if [ -f "$HERE/clusters" ]; then echo '[{"name":"'"$(cat "$HERE/clusters")"'","serversRunning":1}]'; else echo '[]'; fi ;;
  "cluster create"*) printf '\033[36mINFO\033[0m[0003] Creating node k3d-emu-server-0\n' >&2; echo "$3" > "$HERE/clusters" ;;
  "kubeconfig get"*) echo "kubeconfig of k3d" ;;
  "image import"*|"cluster start"*) ;;
  "cluster delete"*) rm -f "$HERE/clusters" ;;
  *) exit 1 ;;
esac
"#;

/// Programs on a PATH of their own, and what was asked of them.
struct Stage(tempfile::TempDir);

impl Stage {
    fn empty() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(stage.path("bin")).unwrap();
        stage
    }

    fn new() -> Self {
        let stage = Self::empty();
        stage.program("docker", DOCKER);
        stage.program("kind", KIND);
        stage.program("k3d", K3D);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        let file = self.path("bin").join(name);
        let here = self.0.path().display();
        let text = format!(
            "#!/bin/bash\nexport PATH=/usr/bin:/bin HERE={here}\necho \"{name} $*\" >> \"$HERE/asked\"\n{body}"
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn docker(&self) -> Docker {
        Docker::with(
            Programs::in_folders(self.path("bin")),
            self.path("clusters.d"),
        )
    }

    /// What was asked so far, with this stage's folder as `@` and ports as `PORT`; forgets it.
    fn asked(&self) -> Vec<String> {
        let text = self.read("asked");
        let _ = std::fs::remove_file(self.path("asked"));
        let here = self.0.path().display().to_string();
        text.lines()
            .map(|line| match line.split_once("/dev/tcp/127.0.0.1/") {
                Some((before, _)) => format!("{before}/dev/tcp/127.0.0.1/PORT"),
                None => line.replace(&here, "@"),
            })
            .collect()
    }

    /// What is remembered of clusters.
    fn remembered(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("clusters.d"));
        let names = entries.into_iter().flatten().flatten();
        names
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

fn kind() -> Spec {
    Spec::new(Provider::Kind, "emu")
}

async fn failure(stage: &Stage, spec: &Spec) -> Error {
    stage
        .docker()
        .open(spec, &mut |_| {})
        .await
        .map(|_| "a cluster")
        .unwrap_err()
}

const CREATE: &str = "kind create cluster --name emu --config @/clusters.d/kind-emu/config.yaml \
                      --kubeconfig @/clusters.d/kind-emu/kubeconfig --wait 120s";
const DELETE: &str = "kind delete cluster --name emu --kubeconfig @/clusters.d/kind-emu/kubeconfig";
const LIST_NETWORKS: &str = "docker network ls --filter name=^kind$ --format {{.Name}}";
const DIAL: &str =
    "docker exec emu-control-plane timeout 5 bash -c exec 3<>/dev/tcp/127.0.0.1/PORT";

#[tokio::test]
async fn kind_makes_a_cluster_and_removes_it_with_its_network() {
    let stage = Stage::new();
    let mut lines = Vec::new();
    let mut tell = |p: Progress| lines.push(p.to_string());
    let cluster = stage.docker().open(&kind(), &mut tell).await.unwrap();
    assert_eq!(
        stage.asked(),
        [
            "docker info --format {{json .}}",
            "kind get clusters",
            LIST_NETWORKS,
            CREATE,
            "docker container inspect emu-control-plane",
            DIAL,
        ]
    );
    assert!(
        lines
            .iter()
            .any(|l| l == "kind: Ensuring node image (kindest/node:v1.34.0)"),
        "{lines:?}"
    );
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("nodes reach this machine: "),
        "{lines:?}"
    );
    assert_eq!(cluster.host().reached.to_string(), "127.0.0.1");
    assert_eq!(cluster.host().listen, cluster.host().reached);
    assert_eq!(cluster.context(), "kind-emu");
    assert_eq!(
        std::fs::read_to_string(cluster.kubeconfig()).unwrap(),
        "kubeconfig\n"
    );

    cluster
        .loader()
        .load(Path::new("/tmp/images.tar"))
        .await
        .unwrap();
    assert_eq!(
        stage.asked(),
        ["kind load image-archive /tmp/images.tar --name emu"]
    );

    cluster.close(&mut |_| {}).await.unwrap();
    assert_eq!(stage.asked(), [DELETE, "docker network rm kind"]);
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn emus_own_image_goes_in_while_kind_makes_the_cluster() {
    let stage = Stage::new();
    let step =
        |name: &str| format!("echo ' \u{2022} {name} \u{1f39b}\u{fe0f}  ...' >&2; echo 'Creating");
    let making = |name: &str| KIND.replacen("echo 'Creating", &step(name), 1);
    stage.program("kind", &making("Starting control-plane"));
    let program = Some(PathBuf::from("/bin/true"));
    let docker = stage.docker();
    let open = async |spec: &Spec| docker.open_with(spec, program.clone(), &mut |_| {}).await;

    let cluster = open(&kind()).await.unwrap();
    let loaded = cluster.loaded().unwrap().to_owned();
    assert!(loaded.starts_with("emu.local/emu:"), "{loaded}");
    let asked = stage.asked();
    let loads = |line: &&String| {
        line.starts_with("kind load image-archive ") && line.ends_with("/emu.tar --name emu")
    };
    assert_eq!(asked.iter().filter(loads).count(), 1, "{asked:?}");
    cluster.close(&mut |_| {}).await.unwrap();

    // A kind that says something else, and one that cannot load: it goes in later.
    stage.program("kind", &making("Something new"));
    assert_eq!(open(&kind()).await.unwrap().loaded(), None);
    let cannot = making("Starting control-plane").replace(
        "\"load image-archive\"*) ;;",
        "\"load image-archive\"*) exit 1 ;;",
    );
    stage.program("kind", &cannot);
    stage.asked();
    assert_eq!(open(&kind()).await.unwrap().loaded(), None);
    assert!(stage.asked().iter().any(|line| loads(&line)));
}

#[tokio::test]
async fn kinds_configuration_gives_the_issuer_in_both_forms_of_kubeadm() {
    let stage = Stage::new();
    let spec = Spec {
        image: Some("example/node:1".into()),
        nodes: 2,
        family: IpFamily::Dual,
        ..kind()
    };
    let cluster = stage.docker().open(&spec, &mut |_| {}).await.unwrap();
    assert!(
        stage
            .asked()
            .contains(&format!("{CREATE} --image example/node:1"))
    );
    let config: serde_json::Value = serde_json::from_str(&stage.read("config")).unwrap();
    assert_eq!(config["networking"]["ipFamily"], "dual");
    assert_eq!(
        config["nodes"],
        serde_json::json!([{"role": "control-plane"}, {"role": "worker"}])
    );
    let untaint: serde_json::Value =
        serde_json::from_str(config["kubeadmConfigPatches"][0].as_str().unwrap()).unwrap();
    assert_eq!(untaint["nodeRegistration"]["taints"], serde_json::json!([]));
    let patches = config["kubeadmConfigPatchesJSON6902"].as_array().unwrap();
    let paths: Vec<(&str, String)> = patches
        .iter()
        .map(|patch| {
            let ops: serde_json::Value =
                serde_json::from_str(patch["patch"].as_str().unwrap()).unwrap();
            (patch["version"].as_str().unwrap(), ops[0].to_string())
        })
        .collect();
    let issuer = spec.issuer();
    assert!(
        issuer.starts_with("https://oidc.eks.us-east-1.amazonaws.com/id/"),
        "{issuer}"
    );
    assert_eq!(
        paths,
        [
            (
                "v1beta3",
                format!(
                    r#"{{"op":"add","path":"/apiServer/extraArgs/service-account-issuer","value":"{issuer}"}}"#
                )
            ),
            (
                "v1beta4",
                format!(
                    r#"{{"op":"add","path":"/apiServer/extraArgs/-","value":{{"name":"service-account-issuer","value":"{issuer}"}}}}"#
                )
            ),
        ]
    );
    drop(cluster);
    assert!(
        stage.asked().contains(&DELETE.to_owned()),
        "dropped, it is removed"
    );
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn a_configuration_of_the_users_is_kept_and_added_to() {
    let stage = Stage::new();
    stage.write(
        "mine.yaml",
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: other\nnodes: [{role: control-plane, extraMounts: [{hostPath: /a, containerPath: /b}]}]\n\
         kubeadmConfigPatches: [\"kind: InitConfiguration\"]\n",
    );
    let spec = Spec {
        config: Some(stage.path("mine.yaml")),
        ..kind()
    };
    let cluster = stage.docker().open(&spec, &mut |_| {}).await.unwrap();
    let config: serde_json::Value = serde_json::from_str(&stage.read("config")).unwrap();
    assert_eq!(config["nodes"][0]["extraMounts"][0]["hostPath"], "/a");
    assert_eq!(config["kubeadmConfigPatches"][0], "kind: InitConfiguration");
    assert_eq!(
        config["kubeadmConfigPatchesJSON6902"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        config.get("name"),
        None,
        "the name on the command line counts"
    );
    cluster.close(&mut |_| {}).await.unwrap();

    stage.write("mine.yaml", "nodes: [");
    stage.asked();
    let error = failure(&stage, &spec).await;
    assert!(matches!(&error, Error::Config { .. }), "{error}");
    stage.write("mine.yaml", "kubeadmConfigPatches: no list");
    let spec = Spec { nodes: 2, ..spec };
    let error = failure(&stage, &spec).await;
    assert!(
        error
            .to_string()
            .ends_with("`kubeadmConfigPatches` is not a list"),
        "{error}"
    );
    assert!(
        !stage
            .asked()
            .iter()
            .any(|line| line.contains("create") || line.contains("delete"))
    );
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn a_network_that_was_there_stays() {
    let stage = Stage::new();
    stage.write("networks", "kind\n");
    let cluster = stage.docker().open(&kind(), &mut |_| {}).await.unwrap();
    stage.asked();
    cluster.close(&mut |_| {}).await.unwrap();
    assert_eq!(stage.asked(), [DELETE]);
}

#[tokio::test]
async fn without_docker_or_kind() {
    let stage = Stage::empty();
    let error = failure(&stage, &kind()).await;
    assert_eq!(error.to_string(), "there is no program `docker` on PATH");
    assert!(error.help().unwrap().contains("install Docker"));
    stage.program("docker", DOCKER);
    let error = failure(&stage, &kind()).await;
    assert_eq!(error.to_string(), "there is no program `kind` on PATH");
    assert!(
        error
            .help()
            .unwrap()
            .contains("go install sigs.k8s.io/kind")
    );
    let error = failure(&stage, &Spec::new(Provider::K3d, "emu")).await;
    assert_eq!(error.to_string(), "there is no program `k3d` on PATH");
    assert_eq!(stage.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn with_a_stopped_engine() {
    let cannot = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    for body in [
        format!("echo '{cannot}' >&2; exit 1"),
        format!(r#"echo '{{"ServerErrors":["{cannot}"],"ServerVersion":""}}'"#),
    ] {
        let stage = Stage::new();
        stage.program("docker", &body);
        let error = failure(&stage, &kind()).await;
        assert_eq!(
            error.to_string(),
            format!("Docker does not answer: {cannot}")
        );
        assert!(error.help().unwrap().starts_with("start Docker"));
        assert_eq!(stage.asked(), ["docker info --format {{json .}}"]);
    }
    let stage = Stage::new();
    stage.program("docker", "echo 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock' >&2; exit 1");
    let error = failure(&stage, &kind()).await;
    assert!(error.help().unwrap().contains("group `docker`"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone() {
    let stage = Stage::new();
    stage.write("clusters", "emu\n");
    let error = failure(&stage, &kind()).await;
    assert_eq!(
        error.to_string(),
        "there is a kind cluster `emu` already, and emu did not make it"
    );
    assert!(
        error
            .help()
            .unwrap()
            .contains("--cluster kubeconfig=kind-emu")
    );
    let error = stage
        .docker()
        .down(Provider::Kind, "emu", &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert!(
        !stage
            .asked()
            .iter()
            .any(|line| line.contains("create") || line.contains("delete"))
    );
    assert!(stage.path("clusters").exists());
}

#[tokio::test]
async fn what_fails_leaves_nothing() {
    let stage = Stage::new();
    let fails = r#"echo 'ERROR: failed to create cluster: failed to pull image "x"' >&2; touch "$HERE/clusters"; exit 1 ;;"#;
    stage.program(
        "kind",
        &KIND.replacen(
            "echo 'Creating",
            &format!("{fails}\n  never) echo 'Creating"),
            1,
        ),
    );
    let error = failure(&stage, &kind()).await;
    assert!(
        error
            .to_string()
            .contains("` failed: ERROR: failed to create cluster: failed to pull image \"x\""),
        "{error}"
    );
    assert_eq!(stage.asked().last().unwrap(), "docker network rm kind");
    assert!(!stage.path("clusters").exists());
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn what_takes_too_long_is_ended_and_removed() {
    let stage = Stage::new();
    stage.program(
        "kind",
        &KIND.replacen(
            "echo 'Creating",
            &format!(
                "echo 'Preparing nodes' >&2; sleep {}; echo 'Creating",
                long()
            ),
            1,
        ),
    );
    let spec = Spec {
        limit: Duration::from_millis(400),
        ..kind()
    };
    let error = failure(&stage, &spec).await;
    assert!(
        matches!(&error, Error::Limit { said, .. } if said == "Preparing nodes"),
        "{error}"
    );
    assert_eq!(
        stage.asked()[3..],
        [CREATE, DELETE, "docker network rm kind"]
    );
    // The future is dropped while kind works, as Ctrl-C does.
    let spec = kind();
    let docker = stage.docker();
    let mut begun = |_| {};
    let opening = docker.open(&spec, &mut begun);
    let given_up = tokio::time::timeout(Duration::from_millis(400), opening).await;
    assert!(given_up.is_err());
    assert_eq!(
        stage.asked()[3..],
        [CREATE, DELETE, "docker network rm kind"]
    );
    assert_eq!(stage.remembered(), Vec::<String>::new());
    let until = Instant::now() + Duration::from_secs(5);
    while sleepers() > 0 {
        assert!(Instant::now() < until, "what kind had started still runs");
        tokio::task::yield_now().await;
    }
}

/// How long the script sleeps: longer than the test, and unlike others that are run at the same time.
fn long() -> String {
    format!("86399.{:08}", std::process::id())
}

/// Processes that sleep as the script does.
fn sleepers() -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let line = format!("sleep\0{}\0", long());
    let sleeps = |p: &std::fs::DirEntry| {
        std::fs::read(p.path().join("cmdline")).is_ok_and(|c| c == line.as_bytes())
    };
    processes.filter(sleeps).count()
}

#[tokio::test]
async fn a_kept_cluster_is_used_again_and_removed_by_name() {
    let stage = Stage::new();
    let spec = Spec {
        keep: true,
        ..kind()
    };
    let cluster = stage.docker().open(&spec, &mut |_| {}).await.unwrap();
    let error = failure(&stage, &spec).await;
    assert_eq!(
        error.to_string(),
        format!(
            "another emu (process {}) uses the kind cluster `emu`",
            std::process::id()
        )
    );
    cluster.close(&mut |_| {}).await.unwrap();
    assert!(!stage.asked().contains(&DELETE.to_owned()));

    // Used again without being asked to keep it: it is not what this run made, so it stays.
    stage.write("stopped", "");
    let mut lines = Vec::new();
    let mut tell = |p: Progress| lines.push(p.to_string());
    let cluster = stage.docker().open(&kind(), &mut tell).await.unwrap();
    assert!(!cluster.made());
    assert!(
        lines.contains(&"the kind cluster `emu` of an earlier run is used".to_owned()),
        "{lines:?}"
    );
    assert_eq!(
        std::fs::read_to_string(cluster.kubeconfig()).unwrap(),
        "kubeconfig again\n"
    );
    cluster.close(&mut |_| {}).await.unwrap();
    assert_eq!(
        stage.asked(),
        [
            "docker info --format {{json .}}",
            "kind get clusters",
            "docker container inspect emu-control-plane",
            "docker start emu-control-plane",
            "docker container inspect emu-control-plane",
            "kind get kubeconfig --name emu",
            DIAL,
        ]
    );

    let wanted = Spec { nodes: 3, ..kind() };
    let error = failure(&stage, &wanted).await;
    assert_eq!(
        error.to_string(),
        "the kind cluster `emu` is there with 1 node of the usual image, ipv4; asked for was 3 nodes of the usual image, ipv4"
    );
    assert!(
        error
            .help()
            .unwrap()
            .contains("emu down --cluster kind=emu")
    );
    assert_eq!(
        stage.docker().sweep(&mut |_| {}).await.unwrap(),
        Vec::<String>::new(),
        "kept"
    );
    assert!(
        stage
            .docker()
            .down(Provider::Kind, "emu", &mut |_| {})
            .await
            .unwrap()
    );
    assert_eq!(stage.asked().last().unwrap(), "docker network rm kind");
    assert!(
        !stage
            .docker()
            .down(Provider::Kind, "emu", &mut |_| {})
            .await
            .unwrap()
    );
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn another_cluster_of_the_same_name_is_not_ours() {
    let stage = Stage::new();
    let spec = Spec {
        keep: true,
        ..kind()
    };
    stage
        .docker()
        .open(&spec, &mut |_| {})
        .await
        .unwrap()
        .close(&mut |_| {})
        .await
        .unwrap();
    stage.write("id", "second");
    let error = failure(&stage, &kind()).await;
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert!(
        stage
            .docker()
            .down(Provider::Kind, "emu", &mut |_| {})
            .await
            .is_err()
    );
    assert!(!stage.asked().contains(&DELETE.to_owned()));
}

#[tokio::test]
async fn what_a_killed_emu_left_is_removed() {
    let stage = Stage::new();
    let leave = |container: &str| {
        stage.write("clusters", "emu\n");
        std::fs::create_dir_all(stage.path("clusters.d/kind-emu")).unwrap();
        stage.write(
            "clusters.d/kind-emu/record.json",
            &format!(
                r#"{{"provider":"kind","name":"emu","owner":{{"process":1,"started":"never"}},"container":{container},
                "madeNetwork":true,"asked":{{"image":null,"family":"ipv4","nodes":1}}}}"#
            ),
        );
    };
    // While it was made: the next start removes it and makes it anew.
    leave("null");
    let cluster = stage.docker().open(&kind(), &mut |_| {}).await.unwrap();
    let asked = stage.asked();
    assert_eq!(asked[2..4], [DELETE, "docker network rm kind"], "{asked:?}");
    assert!(asked.contains(&CREATE.to_owned()), "{asked:?}");
    assert!(cluster.made());
    cluster.close(&mut |_| {}).await.unwrap();
    // Afterwards: `emu down` removes it.
    leave("\"first\"");
    assert_eq!(
        stage.docker().sweep(&mut |_| {}).await.unwrap(),
        ["kind cluster emu"]
    );
    assert!(!stage.path("clusters").exists());
    assert_eq!(stage.remembered(), Vec::<String>::new());
}

#[tokio::test]
async fn with_docker_in_a_virtual_machine_nodes_have_a_name_for_this_one() {
    let stage = Stage::new();
    let elsewhere = DOCKER.replace("\"Gateway\":\"127.0.0.1\"", "\"Gateway\":\"192.0.2.1\"");
    let named = "exec*getent*) echo 'fdc4::254 STREAM host.docker.internal'; echo '127.0.0.1 STREAM'; echo '127.0.0.1 DGRAM' ;;\n  exec*)";
    stage.program("docker", &elsewhere.replace("exec*)", named));
    let cluster = stage.docker().open(&kind(), &mut |_| {}).await.unwrap();
    assert_eq!(cluster.host().reached.to_string(), "127.0.0.1");
    assert_eq!(cluster.host().listen.to_string(), "127.0.0.1");
    let asked = stage.asked();
    assert_eq!(
        asked[5..],
        [
            "docker exec emu-control-plane getent ahosts host.docker.internal",
            DIAL
        ],
        "{asked:?}"
    );
    cluster.close(&mut |_| {}).await.unwrap();

    // Without that name there is no way.
    stage.program(
        "docker",
        &elsewhere.replace("exec*)", "exec*getent*) exit 2 ;;\n  exec*)"),
    );
    let error = failure(&stage, &kind()).await;
    assert!(
        error.to_string().starts_with("node emu-control-plane does not reach this machine at 192.0.2.1, its gateway: no gateway"),
        "{error}"
    );
    assert_eq!(
        stage.asked().last().unwrap(),
        "docker network rm kind",
        "nothing half-made is left"
    );
}

#[tokio::test]
async fn without_a_route_from_the_nodes() {
    let stage = Stage::new();
    let refused = "exec*) echo 'bash: connect: No route to host' >&2; exit 1 ;;\n  never)";
    stage.program("docker", &DOCKER.replace("exec*)", refused));
    let error = failure(&stage, &kind()).await;
    let text = error.to_string();
    assert!(
        text.starts_with("node emu-control-plane does not reach this machine at 127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.ends_with(": bash: connect: No route to host"),
        "{text}"
    );
    assert!(error.help().unwrap().contains("firewall"));
    assert_eq!(stage.remembered(), Vec::<String>::new());
    // What is in between accepts, and nothing arrives.
    stage.program("docker", &DOCKER.replace("exec*)", "exec*) ;;\n  never)"));
    let error = failure(&stage, &kind()).await;
    assert!(
        error
            .to_string()
            .ends_with("it connected to something else"),
        "{error}"
    );
}

#[tokio::test]
async fn k3d_makes_a_cluster_and_removes_it() {
    let stage = Stage::new();
    stage.program("nc", "");
    stage.program(
        "docker",
        &DOCKER.replace(
            "exec*)",
            "exec*nc*) exec bash -c \"exec 3<>/dev/tcp/$6/$7\" ;;\n  exec*)",
        ),
    );
    let spec = Spec {
        nodes: 2,
        image: Some("example/k3s:1".into()),
        ..Spec::new(Provider::K3d, "emu")
    };
    let mut lines = Vec::new();
    let mut tell = |p: Progress| lines.push(p.to_string());
    let cluster = stage.docker().open(&spec, &mut tell).await.unwrap();
    assert_eq!(lines[3], "k3d: Creating node k3d-emu-server-0");
    let issuer = spec.issuer();
    let asked = stage.asked();
    assert_eq!(
        asked[..6],
        [
            "docker info --format {{json .}}".to_owned(),
            "k3d cluster list --output json".to_owned(),
            "docker network ls --filter name=^k3d-emu$ --format {{.Name}}".to_owned(),
            format!(
                "k3d cluster create emu --servers 1 --agents 1 --api-port 127.0.0.1:random --no-lb --wait --timeout 600s \
                 --kubeconfig-update-default=false --kubeconfig-switch-context=false \
                 --k3s-arg --kube-apiserver-arg=service-account-issuer={issuer}@server:* \
                 --k3s-arg --kube-apiserver-arg=api-audiences=https://kubernetes.default.svc,k3s@server:* \
                 --k3s-arg --disable=traefik,servicelb,metrics-server@server:* --image example/k3s:1"
            ),
            "docker container inspect k3d-emu-server-0".to_owned(),
            "k3d kubeconfig get emu".to_owned(),
        ]
    );
    assert!(
        asked[6].starts_with("docker exec k3d-emu-server-0 nc -w 5 127.0.0.1 "),
        "{asked:?}"
    );
    assert_eq!(cluster.context(), "k3d-emu");
    assert_eq!(
        std::fs::read_to_string(cluster.kubeconfig()).unwrap(),
        "kubeconfig of k3d\n"
    );
    cluster
        .loader()
        .load(Path::new("/tmp/images.tar"))
        .await
        .unwrap();
    assert_eq!(
        stage.asked(),
        ["k3d image import /tmp/images.tar --cluster emu --mode direct"]
    );
    cluster.close(&mut |_| {}).await.unwrap();
    assert_eq!(stage.asked(), ["k3d cluster delete emu"]);

    let spec = Spec {
        family: IpFamily::Ipv6,
        ..spec
    };
    let error = failure(&stage, &spec).await;
    assert_eq!(
        error.to_string(),
        "k3d cannot make a cluster with ipv6 addresses"
    );
}

#[tokio::test]
async fn answers_that_are_not_understood_and_names_that_do_not_fit() {
    let stage = Stage::new();
    stage.program("k3d", "echo 'WARN[0000] something'");
    let error = failure(&stage, &Spec::new(Provider::K3d, "emu")).await;
    assert!(
        error
            .to_string()
            .starts_with("the answer of `k3d cluster list --output json` is not understood: "),
        "{error}"
    );
    stage.asked();
    for name in ["", "../emu", "Emu", "-emu", "a b"] {
        let error = failure(&stage, &Spec::new(Provider::Kind, name)).await;
        assert!(
            matches!(error, Error::Unsupported { .. }),
            "{name}: {error}"
        );
    }
    assert_eq!(stage.asked(), Vec::<String>::new());
}
