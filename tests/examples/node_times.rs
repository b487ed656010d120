//! How long a real node takes, as the user of `emu up --cluster node` sees it: from nothing to a Ready node, to the first pod
//! Running, to the first credentials that an unmodified SDK got in a pod, and to its end. Prints the least, the middle and the
//! most of some runs (three, or as many as the first argument says), or why it cannot run here.

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use emu_tests::{binary, built, kubectl, no_node};

/// The figures, with their bounds in seconds.
const FIGURES: [(&str, f64); 4] = [
    ("nothing to node Ready", 6.0),
    ("nothing to first pod Running", 8.0),
    ("nothing to first credentials in a pod", 10.0),
    ("teardown of the node", 2.0),
];

const GIVEN: &str = "
scenario: a-world
given:
  roles: [{ name: app }]
  associations: [{ namespace: default, serviceAccount: default, role: app }]
steps: []
";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    if let Some(why) = no_node() {
        println!("a real node: skipped: {why}");
        return Ok(());
    }
    let runs = std::env::args().nth(1).map_or(Ok(3), |n| n.parse())?;
    let emu = binary()?;
    let probe = probe(&emu)?;
    let mut times: Vec<[f64; 4]> = Vec::new();
    for _ in 0..runs {
        times.push(round(&emu, &probe)?.map(|time| time.as_secs_f64()));
    }
    for (i, (what, bound)) in FIGURES.iter().enumerate() {
        let mut column: Vec<f64> = times.iter().map(|run| run[i]).collect();
        column.sort_by(f64::total_cmp);
        let (least, middle, most) = (
            column[0],
            column[column.len() / 2],
            column[column.len() - 1],
        );
        let figures =
            format!("{least:.2} / {middle:.2} / {most:.2} s (least, middle, most of {runs})");
        println!("{what:<38}{figures:<60}bound {bound} s");
    }
    Ok(())
}

/// A program with the AWS SDK for Rust: beside `emu`, or built now.
fn probe(emu: &Path) -> Result<PathBuf> {
    let beside = emu.with_file_name("emu-probe");
    match beside.exists() {
        true => Ok(fs::canonicalize(beside)?),
        false => Ok(built("emu-probe", "emu-probe")?),
    }
}

fn round(emu: &Path, probe: &Path) -> Result<[Duration; 4]> {
    let folder = tempfile::tempdir()?;
    let given = folder.path().join("given.yaml");
    fs::write(&given, GIVEN)?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = free.local_addr()?.to_string();
    drop(free);
    let kubectl = kubectl().ok_or("no kubectl")?;
    let begun = Instant::now();
    let mut up = Ended(
        Command::new(emu)
            .args(["up", "--cluster", "node", "--addr", &address, "-f"])
            .arg(&given)
            .env("EMU_RUN_DIR", folder.path().join("runs"))
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let stdout = up.0.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut next = |wanted: &dyn Fn(&str) -> bool| -> Result<String> {
        for line in lines.by_ref() {
            let line = line?;
            if wanted(&line) {
                return Ok(line);
            }
        }
        Err("`emu up` ended".into())
    };
    next(&|line| line.contains("http://"))?;
    first(&address, "nodeStarted")?;
    let ready = begun.elapsed();
    let kubeconfig = next(&|line| line.contains("KUBECONFIG="))?;
    let kubeconfig = kubeconfig
        .split_once("KUBECONFIG=")
        .and_then(|(_, rest)| rest.split(' ').next())
        .ok_or("no kubeconfig")?
        .to_owned();
    next(&|line| line == "Ready.")?;
    let run = |arguments: &[&str], input: &str| -> Result<()> {
        let mut child = Command::new(&kubectl)
            .args(arguments)
            .env("KUBECONFIG", &kubeconfig)
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no input")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        match child.wait()?.success() {
            true => Ok(()),
            false => Err(format!("kubectl {arguments:?} failed").into()),
        }
    };
    run(&["create", "-f", "-"], &pod(probe))?;
    run(
        &[
            "wait",
            "--for=jsonpath={.status.phase}=Running",
            "pod/first",
            "--timeout=60s",
        ],
        "",
    )?;
    let running = begun.elapsed();
    first(&address, "authCall&status=200")?;
    let credentials = begun.elapsed();
    let ending = Instant::now();
    Command::new("kill")
        .args(["-INT", &up.0.id().to_string()])
        .status()?;
    let status = up.0.wait()?;
    if !status.success() {
        return Err(format!("`emu up` ended badly: {status}").into());
    }
    Ok([ready, running, credentials, ending.elapsed()])
}

/// A pod that asks who it is, again and again: this machine's program, in the image that is on every node.
fn pod(probe: &Path) -> String {
    let folder = probe.parent().unwrap_or(Path::new("/")).display();
    let mut mounts = String::new();
    let mut volumes = String::new();
    for (i, path) in ["/bin", "/usr", "/lib", "/lib64", &folder.to_string()]
        .iter()
        .enumerate()
        .filter(|(_, path)| Path::new(path).exists())
    {
        mounts += &format!("{{name: v{i}, mountPath: {path}, readOnly: true}}, ");
        volumes += &format!("{{name: v{i}, hostPath: {{path: {path}}}}}, ");
    }
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{ name: first }}
spec:
  containers:
    - name: main
      image: emu.local/pause:1
      command: [/bin/sh, -c, 'while :; do {probe} identity; done']
      volumeMounts: [{mounts}]
  volumes: [{volumes}]
",
        probe = probe.display()
    )
}

/// Waits for the first event of a type in the journal.
fn first(address: &str, kind: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let mut stream = TcpStream::connect(address)?;
        let request = format!(
            "GET /_emu/journal?type={kind}&limit=1&wait=20s HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.contains("\"seq\"") {
            return Ok(());
        }
    }
    Err(format!("no event {kind} in the journal").into())
}

/// A child that does not outlive an error.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
