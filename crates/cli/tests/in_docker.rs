//! What a person sees of `--cluster kind` where it cannot be: one clear error, what to do, and nothing half-made. `docker` and `kind`
//! are scripts here; what is asked of them exactly is for `emu-cluster`'s own tests.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

const DOCKER: &str = r#"
case "$*" in
  info*) echo '{"ServerVersion":"28.2.2","OperatingSystem":"Debian GNU/Linux 12 (bookworm)"}' ;;
  "container inspect "*)
    echo '[{"Id":"first","State":{"Running":true},"NetworkSettings":{"Networks":{"kind":{"Gateway":"127.0.0.1"}}}}]' ;;
  exec*) echo "bash: connect: No route to host" >&2; exit 1 ;;
esac
"#;

const STOPPED: &str = "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. \
                       Is the docker daemon running?' >&2; exit 1";

const KIND: &str = r#"
case "$*" in
  "get clusters") cat "$HERE/clusters" 2>/dev/null || true ;;
  "create cluster"*) echo "$4" > "$HERE/clusters"; echo kubeconfig > "$8" ;;
  "delete cluster"*) rm -f "$HERE/clusters" ;;
esac
"#;

/// A machine with these programs and nothing else.
struct Stage(tempfile::TempDir);

/// What came of a command.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    said: String,
    /// The first two words of everything that was asked of the programs, once each.
    asked: Vec<String>,
}

impl Stage {
    fn new(programs: &[(&str, &str)]) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let here = stage.0.path();
        std::fs::create_dir(here.join("bin")).unwrap();
        for (name, body) in programs {
            let file = here.join("bin").join(name);
            let text = format!(
                "#!/bin/bash\nexport PATH=/usr/bin:/bin HERE={}\necho \"{name} $1 $2\" >> \"$HERE/asked\"\n{body}",
                here.display()
            );
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        stage
    }

    fn emu(&self, arguments: &[&str]) -> Outcome {
        let here = self.0.path();
        let output = Command::new(env!("CARGO_BIN_EXE_emu"))
            .args(arguments)
            .env_clear()
            .env("PATH", here.join("bin"))
            .env("HOME", here)
            .env("EMU_CACHE", here.join("cache"))
            .env("EMU_RUN_DIR", here.join("runs"))
            .env("COLUMNS", "400")
            .current_dir(here)
            .output()
            .unwrap();
        let text = std::fs::read_to_string(here.join("asked")).unwrap_or_default();
        let mut asked: Vec<String> = text.lines().map(str::to_owned).collect();
        asked.dedup();
        Outcome {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            asked,
        }
    }

    /// What is remembered of clusters.
    fn remembered(&self) -> usize {
        let folder = self.0.path().join("cache/clusters");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

impl Outcome {
    /// One error, with this in its message and that in the advice.
    #[track_caller]
    fn is(&self, message: &str, advice: &str) {
        // Lines are wrapped to the width of a terminal, and drawn beside.
        let bare = |text: &str| text.replace(|c: char| c == '\u{2502}' || c.is_whitespace(), "");
        let said = bare(&self.said);
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(said.contains(&bare(message)), "{self:?}");
        assert!(said.contains(&bare(&format!("help: {advice}"))), "{self:?}");
        assert_eq!(said.matches('\u{d7}').count(), 1, "{self:?}");
    }
}

/// `emu up` and `emu run` of nothing but a call.
fn commands(stage: &Stage) -> [Vec<String>; 2] {
    let file = stage.0.path().join("one.yaml");
    let scenario = "scenario: one\ngiven: { roles: [{ name: app }] }\nsteps: [{ create: { role: { name: other } } }]\n";
    std::fs::write(&file, scenario).unwrap();
    let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect();
    [
        words(&["up", "--cluster", "kind", "--addr", "127.0.0.1:0"]),
        words(&["run", &file.display().to_string(), "--cluster", "kind"]),
    ]
}

#[track_caller]
fn fails(
    programs: &[(&str, &str)],
    cluster: Option<&str>,
    message: &str,
    advice: &str,
) -> Vec<String> {
    let mut asked = Vec::new();
    for number in 0..2 {
        let stage = Stage::new(programs);
        if let Some(name) = cluster {
            std::fs::write(stage.0.path().join("clusters"), name).unwrap();
        }
        let command = &commands(&stage)[number];
        let outcome = stage.emu(&command.iter().map(String::as_str).collect::<Vec<_>>());
        outcome.is(message, advice);
        assert_eq!(stage.remembered(), 0, "{outcome:?}");
        asked = outcome.asked;
    }
    asked
}

#[test]
fn without_docker() {
    fails(
        &[("kind", KIND)],
        None,
        "there is no program `docker` on PATH",
        "install Docker, or play on --cluster sandbox, which needs nothing",
    );
}

#[test]
fn without_kind() {
    fails(
        &[("docker", DOCKER)],
        None,
        "there is no program `kind` on PATH",
        "`go install sigs.k8s.io/kind@latest` brings it",
    );
}

#[test]
fn with_a_stopped_engine() {
    let asked = fails(
        &[("docker", STOPPED), ("kind", KIND)],
        None,
        "Docker does not answer: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
        "start Docker (Docker Desktop, or `systemctl start docker`)",
    );
    assert!(!asked.iter().any(|a| a.starts_with("kind")), "{asked:?}");
}

#[test]
fn with_a_name_that_exists() {
    let asked = fails(
        &[("docker", DOCKER), ("kind", KIND)],
        Some("emu"),
        "there is a kind cluster `emu` already, and emu did not make it",
        "choose another name (--cluster kind=NAME), or use it as it is: --cluster kubeconfig=kind-emu",
    );
    assert_eq!(asked.last().unwrap(), "kind get clusters");
}

#[test]
fn with_no_route_from_the_nodes() {
    let asked = fails(
        &[("docker", DOCKER), ("kind", KIND)],
        None,
        "node emu-control-plane does not reach this machine at 127.0.0.1:",
        "a firewall of this machine (ufw, firewalld) may be in the way of Docker's networks",
    );
    // What was made for it goes, and the network that was not there before.
    let end: Vec<&str> = asked.iter().rev().take(2).map(String::as_str).collect();
    assert_eq!(end, ["docker network rm", "kind delete cluster"]);
}

#[test]
fn with_the_port_taken() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = other.local_addr().unwrap().to_string();
    let stage = Stage::new(&[("docker", DOCKER), ("kind", KIND)]);
    let outcome = stage.emu(&["up", "--cluster", "kind", "--addr", &address]);
    outcome.is(
        &format!("cannot listen on {address}: Address already in use"),
        "another program (another emu?) has the port; choose one with --addr",
    );
    // It is looked at before a cluster is made.
    assert!(outcome.asked.is_empty(), "{outcome:?}");
    assert_eq!(stage.remembered(), 0);
}
