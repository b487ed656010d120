//! `emu exec`: the program has the pod's network, its variables and its clock.

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use emu_tests::{Up, binary};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

const GIVEN: &str = "
scenario: a-world
given:
  roles: [{ name: app }]
  associations: [{ namespace: shop, serviceAccount: api, role: app }]
  serviceAccounts: [{ namespace: shop, name: api }]
steps: []
";

/// Tells the time, sleeps for ten hours, and tells it again with what its agent says.
const PROGRAM: &str = "date +%s; sleep 36000; date +%s; \
     curl -sS -m 10 -o /dev/null -w '%{http_code}\\n' \
     -H \"Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)\" $AWS_CONTAINER_CREDENTIALS_FULL_URI";

#[test]
fn a_program_of_exec_follows_the_clock() -> Result<(), Box<dyn Error>> {
    if let Err(why) = emu_vtime::supported() {
        eprintln!("skipped: {why}");
        return Ok(());
    }
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl here");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let given = folder.path().join("given.yaml");
    std::fs::write(&given, GIVEN)?;
    let emu = binary()?;
    let up = Up::start(&emu, &["-f", &given.to_string_lossy()])?;
    let mut program = Command::new(&emu)
        .args(["exec", "--addr", &up.address, "shop/api", "--"])
        .args(["sh", "-c", PROGRAM])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let (sender, lines) = mpsc::channel();
    let out = program.stdout.take().ok_or("no output")?;
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let before: i64 = lines.recv_timeout(DEADLINE)?.parse()?;
    let advanced = Command::new(&emu)
        .args(["clock", "--addr", &up.address, "advance", "10h"])
        .stdout(Stdio::null())
        .status()?;
    assert!(advanced.success());
    let after = lines
        .recv_timeout(DEADLINE)
        .inspect_err(|_| drop(program.kill()))?
        .parse::<i64>()?;
    assert!(
        (36_000..36_060).contains(&(after - before)),
        "{before} {after}"
    );
    assert_eq!(lines.recv_timeout(DEADLINE)?, "200");
    assert!(program.wait()?.success());

    // When the emulator ends, so do those who are in its pods.
    let mut visitor = Command::new(&emu)
        .args(["exec", "--addr", &up.address, "shop/api", "--"])
        .args(["sh", "-c", "echo in; sleep 1000000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(visitor.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    assert_eq!(line, "in\n");
    up.stop()?;
    assert!(!visitor.wait()?.success());
    Ok(())
}
