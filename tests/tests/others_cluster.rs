//! `--cluster kubeconfig=CONTEXT` on a cluster that emu did not make: everything works there, and it is left as it was.
//! `skipped: why` where no real node can run. With `EMU_WHOLE_LIBRARY` every scenario is played there, which takes minutes;
//! without it, a few.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
};

use emu_tests::{binary, kubectl, no_node};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A plain node in a network namespace of its own, with emu's image.
struct Others {
    child: Child,
    input: Option<ChildStdin>,
    emu: PathBuf,
    kubectl: PathBuf,
    /// The address at which the node reaches this namespace.
    host: String,
    image: String,
    folder: tempfile::TempDir,
}

impl Drop for Others {
    fn drop(&mut self) {
        // It takes its node down when its input ends.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Others {
    fn start() -> Result<Option<Self>> {
        if let Some(why) = no_node() {
            eprintln!("skipped: {why}");
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let emu = binary()?;
        let archive = folder.path().join("emu.tar");
        let image = "emu.local/emu:of-the-test".to_owned();
        let written = Command::new(&emu)
            .args(["image", "--tag", &image, "-o"])
            .arg(&archive)
            .status()?;
        assert!(written.success());
        let kubeconfig = folder.path().join("kubeconfig");
        let mut child = Command::new("unshare")
            .arg("--net")
            .arg(example("others_node")?)
            .args([&kubeconfig, &archive])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let mut host = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut host)?;
        }
        let others = Self {
            child,
            input,
            emu,
            kubectl: kubectl().ok_or("no kubectl")?,
            host: host.trim().to_owned(),
            image,
            folder,
        };
        match others.host.is_empty() {
            true => Err("the node did not start".into()),
            false => Ok(Some(others)),
        }
    }

    /// A program in the node's surroundings.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.child.id().to_string(), "-n"])
            .arg(program)
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .stdin(Stdio::null());
        // What is remembered for `emu down` is the test's own.
        command.env("EMU_CACHE", self.folder.path().join("cache"));
        command
    }

    fn emu(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.emu);
        command.args(words);
        command
    }

    /// The arguments that name the cluster.
    fn cluster(&self) -> [&str; 8] {
        [
            "--cluster",
            "kubeconfig=others",
            "--host-address",
            &self.host,
            "--image",
            &self.image,
            "--agent",
            "twin",
        ]
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        let output = self.command(&self.kubectl).args(words).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(text(&output).into()),
        }
    }

    /// Every object of the cluster, without what changes by itself.
    fn objects(&self) -> Result<Vec<Value>> {
        let kinds = self.kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
        let kinds: Vec<&str> = kinds
            .lines()
            // They tell of what happened; and that somebody is alive.
            .filter(|kind| !kind.starts_with("events") && !kind.starts_with("leases"))
            .collect();
        let all = self.kubectl(&["get", &kinds.join(","), "-A", "-o", "json"])?;
        let mut all: Value = serde_json::from_str(&all)?;
        let mut objects = Vec::new();
        for mut object in all["items"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .map(Value::take)
        {
            object["metadata"]["resourceVersion"] = Value::Null;
            object["metadata"]["managedFields"] = Value::Null;
            if object["kind"] == "Node" {
                // The kubelet's heartbeat, and what it saw of images.
                object["status"] = Value::Null;
            }
            objects.push(object);
        }
        objects.sort_by_key(|object| {
            let meta = &object["metadata"];
            format!("{} {} {}", object["kind"], meta["namespace"], meta["name"])
        });
        Ok(objects)
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// An example of these suites, built now.
fn example(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.ancestors().nth(2).ok_or("this test lies nowhere")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "-p", "emu-tests", "--example", name]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let built = build
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()?;
    let path = folder.join("examples").join(name);
    match built.success() && path.exists() {
        true => Ok(path),
        false => Err(format!("example {name} could not be built").into()),
    }
}

const GIVEN: &str = "
scenario: a-world
given:
  roles: [{ name: app }]
  associations: [{ namespace: shop, serviceAccount: api, role: app }]
  serviceAccounts: [{ namespace: shop, name: api }]
  pods: [{ name: api-0, namespace: shop, serviceAccount: api }]
steps: []
";

#[test]
fn a_cluster_of_others_is_used_and_left_as_it_was() -> Result<()> {
    let Some(others) = Others::start()? else {
        return Ok(());
    };
    let before = others.objects()?;
    assert!(before.len() > 50, "{} objects", before.len());

    // Nothing is touched without a name, nor by a wrong one.
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let unnamed = others
        .emu(&["run", scenarios, "--cluster", "kubeconfig"])
        .output()?;
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(
        text(&unnamed).contains("contexts: others"),
        "{}",
        text(&unnamed)
    );

    // Every scenario holds, or is skipped for a reason that is told.
    let played: &[&str] = match std::env::var_os("EMU_WHOLE_LIBRARY") {
        Some(_) => &[""],
        None => &[
            "quickstart.yaml",
            "webhook/opted-out.yaml",
            "agent/eks-auth-out-of-reach.yaml",
        ],
    };
    let run = others
        .emu(&["run", "-o", "json"])
        .args(played.iter().map(|one| format!("{scenarios}/{one}")))
        .args(others.cluster())
        .output()?;
    let report: Value =
        serde_json::from_slice(&run.stdout).map_err(|e| format!("{e}: {}", text(&run)))?;
    let played = report["scenarios"].as_array().ok_or("no scenarios")?;
    let bad: Vec<&Value> = played
        .iter()
        .filter(|one| match one["outcome"].as_str() {
            Some("held") => false,
            Some("skipped") => one["reason"].as_str().is_none_or(str::is_empty),
            _ => true,
        })
        .collect();
    assert!(bad.is_empty(), "{}", json!(bad));
    let held = played.iter().filter(|one| one["outcome"] == "held").count();
    assert!(held * 2 > played.len(), "{held} of {} held", played.len());
    eprintln!(
        "{held} of {} scenarios held, the others are skipped for a reason",
        played.len()
    );
    others.same_as(&before)?;

    // Killed while it is up, it leaves things behind, and `emu down` removes them.
    let file = others.folder.path().join("given.yaml");
    std::fs::write(&file, GIVEN)?;
    let log = others.folder.path().join("up.log");
    let mut up = others
        .emu(&["up", "--addr", "127.0.0.1:0", "-f"])
        .arg(&file)
        .args(others.cluster())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .spawn()?;
    let out = BufReader::new(up.stdout.take().ok_or("no output")?);
    let ready = out
        .lines()
        .map_while(std::io::Result::ok)
        .any(|line| line == "Ready.");
    let told = std::fs::read_to_string(&log)?;
    assert!(ready, "{told}");
    assert!(
        told.contains("DaemonSet kube-system/eks-pod-identity-agent"),
        "{told}"
    );
    let pod = others.kubectl(&["get", "pod", "-n", "shop", "api-0", "-o", "json"])?;
    assert!(pod.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "{pod}");
    up.kill()?;
    up.wait()?;
    assert_ne!(others.objects()?, before);
    let down = others.emu(&["down"]).output()?;
    assert!(down.status.success(), "{}", text(&down));
    assert!(text(&down).contains("Namespace shop"), "{}", text(&down));
    others.same_as(&before)?;

    // An address that the nodes do not reach is one error, and nothing is left.
    let astray = others
        .emu(&[
            "up",
            "--addr",
            "127.0.0.1:0",
            "--cluster",
            "kubeconfig=others",
        ])
        .args([
            "--host-address",
            "127.0.0.1",
            "--agent",
            "twin",
            "--image",
            &others.image,
        ])
        .output()?;
    assert_eq!(astray.status.code(), Some(2));
    assert!(
        text(&astray).contains("--host-address"),
        "{}",
        text(&astray)
    );
    others.same_as(&before)
}

impl Others {
    fn same_as(&self, before: &[Value]) -> Result<()> {
        let after = self.objects()?;
        let only = |these: &[Value], those: &[Value]| -> Vec<Value> {
            these
                .iter()
                .filter(|one| !those.contains(one))
                .cloned()
                .collect()
        };
        let (gone, new) = (only(before, &after), only(&after, before));
        match gone.is_empty() && new.is_empty() {
            true => Ok(()),
            false => Err(format!("gone or changed: {}\nnew: {}", json!(gone), json!(new)).into()),
        }
    }
}
