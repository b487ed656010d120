//! boto3 and the AWS CLI against a running `emu up`; what they do stands in `outside/pod_identity.py`.

use std::{
    env,
    error::Error,
    fs,
    process::{Command, Stdio},
};

use emu_tests::{Up, binary, venv};

#[test]
fn the_whole_chain_from_outside() -> Result<(), Box<dyn Error>> {
    let Some(venv) = venv() else {
        eprintln!("skipped: boto3 and the AWS CLI are not here; tests/outside/install brings them");
        return Ok(());
    };
    let emu = binary()?;
    let interfaces = fs::read_to_string("/proc/net/dev")?.lines().count();
    let up = Up::start(&emu, &["--agent", "twin"])?;
    let printed = Command::new(&emu)
        .args(["env", "--addr", &up.address])
        .stderr(Stdio::inherit())
        .output()?;
    let variables = String::from_utf8(printed.stdout)?;
    let variables = variables
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    let mut path = vec![venv.join("bin")];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut script = Command::new(venv.join("bin/python"));
    for (name, _) in env::vars() {
        if name.starts_with("AWS_") {
            script.env_remove(name);
        }
    }
    let status = script
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/outside/pod_identity.py"
        ))
        .env("PATH", env::join_paths(path)?)
        // Nothing of the user's own: no profiles, no keys.
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("EMU_BIN", &emu)
        .env("EMU_ADDR", &up.address)
        .envs(variables)
        .stdin(Stdio::null())
        .status()?;
    assert!(status.success(), "see the line that begins with FAIL");
    let ended = up.stop()?;
    assert!(ended.success(), "Ctrl-C is a good end: {ended}");
    let left = fs::read_to_string("/proc/net/dev")?.lines().count();
    assert_eq!(left, interfaces, "network interfaces left behind");
    Ok(())
}
