//! `emu up --cluster node` as a developer uses it: kubectl, an image and a manifest of one's own, an association made with
//! the AWS CLI; then the pods list a bucket through unmodified SDKs.

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use emu_cluster::image::Image;
use emu_tests::{Up, binary, built, kubectl, no_node, venv};

type Outcome = Result<(), Box<dyn Error>>;

/// How long a program in a pod may take to say what it is waited for, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

const GIVEN: &str = r#"
scenario: a-developers-world
given:
  roles:
    - { name: app, permissions: [{ allow: s3:ListBucket, on: "arn:aws:s3:::invoices" }] }
  buckets: [{ name: invoices, objects: { "2026/october.pdf": october } }]
steps: []
"#;

/// Nothing in it is of emu: no endpoint, no credentials, no labels.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: api, namespace: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: api, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec:
      serviceAccountName: api
      terminationGracePeriodSeconds: 0
      containers:
        - name: rust
          image: developer.example/app:dev
          command: [sh, -c, "while :; do app list invoices; sleep 1; done"]
        - name: python
          image: developer.example/app:dev
          command:
            - PYTHON
            - -uc
            - |
              import boto3, time
              while True:
                  try:
                      print([o["Key"] for o in boto3.client("s3").list_objects_v2(Bucket="invoices")["Contents"]])
                  except Exception as e:
                      print(e)
                  time.sleep(1)
          volumeMounts: MOUNTS
      volumes: VOLUMES
"#;

#[test]
fn a_developers_pods_list_a_bucket() -> Outcome {
    if let Some(why) = no_node() {
        eprintln!("skipped: {why}");
        return Ok(());
    }
    let (Some(kubectl), Some(venv)) = (kubectl(), venv()) else {
        eprintln!("skipped: the AWS CLI is not here; tests/outside/install brings it");
        return Ok(());
    };
    let emu = binary()?;
    let folder = tempfile::tempdir()?;
    let given = folder.path().join("given.yaml");
    fs::write(&given, GIVEN)?;
    let runs = folder.path().join("runs");
    let up = |arguments: &[&str]| {
        let all = [&["--cluster", "node", "--agent", "twin"], arguments].concat();
        Up::start_with(&emu, &all, &[("EMU_RUN_DIR", &runs)])
    };
    let first = up(&["-f", &given.display().to_string()])?;
    let shell = Shell::new(&emu, &first.address, kubectl.clone(), folder.path())?;

    let images = image(folder.path())?;
    let loaded = shell.emu(&["kubernetes", "load"], &[&images.display().to_string()])?;
    assert!(
        loaded.contains("developer.example/app:dev"),
        "the image's name is told: {loaded}"
    );
    let create = "eks create-pod-identity-association --cluster-name demo --namespace shop --service-account api \
                  --role-arn arn:aws:iam::000000000000:role/app";
    shell.run(&venv.join("bin/aws"), &words(create), None)?;
    shell.run(&kubectl, &words("apply -f -"), Some(&manifest(&venv)))?;
    let wait = "-n shop rollout status deployment/api --timeout=90s";
    shell.run(&kubectl, &words(wait), None)?;
    for container in ["rust", "python"] {
        shell.log_says(container, "2026/october.pdf")?;
    }
    let answered = shell.emu(&["kubernetes", "kubectl"], &["get", "nodes", "-o", "name"])?;
    assert_eq!(answered, "node/node-1\n");

    // Several at once, each with a world of its own.
    let second = up(&[])?;
    let other = Shell::new(&emu, &second.address, kubectl.clone(), folder.path())?;
    assert_ne!(shell.kubeconfig, other.kubeconfig);
    let found = other.run(&kubectl, &words("get namespaces -o name"), None)?;
    assert!(
        found.contains("namespace/default") && !found.contains("shop"),
        "{found}"
    );
    shell.log_says("rust", "2026/october.pdf")?;
    for up in [second, first] {
        let began = Instant::now();
        let ended = up.stop()?;
        assert!(ended.success(), "Ctrl-C is a good end: {ended}");
        println!("ended in {:.2} s", began.elapsed().as_secs_f64());
    }
    let down = Command::new(&emu)
        .arg("down")
        .env("EMU_RUN_DIR", &runs)
        .output()?;
    assert_eq!(said(down)?, "nothing was left behind\n");
    Ok(())
}

/// A shell in which `emu env` was evaluated.
struct Shell {
    emu: PathBuf,
    address: String,
    kubectl: PathBuf,
    variables: Vec<(String, String)>,
    kubeconfig: String,
}

impl Shell {
    fn new(
        emu: &Path,
        address: &str,
        kubectl: PathBuf,
        home: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let printed = said(
            Command::new(emu)
                .args(["env", "--addr", address])
                .output()?,
        )?;
        let mut variables: Vec<(String, String)> = printed
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let kubeconfig = variables
            .iter()
            .find_map(|(name, value)| (name == "KUBECONFIG").then(|| value.clone()))
            .ok_or("emu env names no kubeconfig")?;
        // Nothing of the user's own: no profiles, no keys, no caches.
        variables.push(("HOME".into(), home.display().to_string()));
        Ok(Self {
            emu: emu.to_owned(),
            address: address.to_owned(),
            kubectl,
            variables,
            kubeconfig,
        })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .envs(self.variables.iter().cloned())
            .env("AWS_PAGER", "");
        command
    }

    fn emu(&self, command: &[&str], arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let at = ["--addr", &self.address];
        let all: Vec<&str> = [command, &at, arguments].concat();
        self.run(&self.emu, &all, None)
    }

    fn run(
        &self,
        program: &Path,
        arguments: &[&str],
        input: Option<&str>,
    ) -> Result<String, Box<dyn Error>> {
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no input")?;
        stdin.write_all(input.unwrap_or_default().as_bytes())?;
        drop(stdin);
        said(child.wait_with_output()?)
    }

    /// Follows a container's log until a line says this.
    fn log_says(&self, container: &str, what: &str) -> Outcome {
        let mut following = Ended(
            self.command(&self.kubectl)
                .args(words("-n shop logs deployment/api --follow --container"))
                .arg(container)
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let log = following.0.stdout.take().ok_or("no log")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let end = Instant::now() + DEADLINE;
        let mut last = String::new();
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(what) => return Ok(()),
                Ok(line) => last = line,
                Err(_) => return Err(format!("{container} never said {what}; last: {last}").into()),
            }
        }
    }
}

/// A child that does not outlive its use.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn said(output: Output) -> Result<String, Box<dyn Error>> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The developer's image: a program with the AWS SDK for Rust, and a shell.
fn image(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let archive = folder.join("app.tar");
    let sleep = ["/usr/bin/sleep", "/bin/sleep"].iter().map(Path::new);
    let sleep = sleep.into_iter().find(|p| p.exists()).ok_or("no sleep")?;
    Image::new("developer.example/app:dev")
        .program(&built("emu-probe", "emu-probe")?, "/usr/bin/app")?
        .program(&fs::canonicalize("/bin/sh")?, "/bin/sh")?
        .program(sleep, "/bin/sleep")?
        .write_archive(&archive)?;
    Ok(archive)
}

/// The manifest with this machine's Python mounted: what the image of a Python program has within.
fn manifest(venv: &Path) -> String {
    let python = fs::canonicalize(venv.join("bin/python")).unwrap_or_default();
    let mut mounts = Vec::new();
    let mut volumes = Vec::new();
    let root = python.ancestors().nth(2).unwrap_or(Path::new("/usr"));
    for (i, path) in [root, Path::new("/lib"), Path::new("/lib64"), venv]
        .iter()
        .enumerate()
    {
        let path = path.display();
        mounts.push(format!("{{name: v{i}, mountPath: {path}, readOnly: true}}"));
        volumes.push(format!("{{name: v{i}, hostPath: {{path: {path}}}}}"));
    }
    MANIFEST
        .replace("PYTHON", &venv.join("bin/python").display().to_string())
        .replace("MOUNTS", &format!("[{}]", mounts.join(", ")))
        .replace("VOLUMES", &format!("[{}]", volumes.join(", ")))
}
