//! What this machine has beside Rust.

use std::{env, path::PathBuf};

use emu_cluster::{kubernetes::install, node::platform};

/// Why a real node cannot run here, if it cannot.
pub fn no_node() -> Option<String> {
    let missing = platform::missing();
    match missing.first() {
        Some(one) => Some(format!("{} is missing ({})", one.what, one.remedy)),
        None if kubectl().is_none() => Some("no Kubernetes here; emu kubernetes install".into()),
        None => None,
    }
}

/// The newest kubectl that `emu kubernetes install` brought.
pub fn kubectl() -> Option<PathBuf> {
    let found = install::installed().pop()?.join("kubectl");
    found.exists().then_some(found)
}

/// The folder that `outside/install` filled, if it did: boto3 and the AWS CLI.
pub fn venv() -> Option<PathBuf> {
    let cache = env::var_os("EMU_CI_CACHE").map(PathBuf::from).or_else(|| {
        let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Some(base?.join("emu-ci"))
    })?;
    let venv = cache.join("venv");
    (venv.join("bin/aws").exists() && venv.join("bin/python").exists()).then_some(venv)
}
