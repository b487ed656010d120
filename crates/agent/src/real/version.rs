//! What a binary of the agent says it is.

use std::{path::Path, process::Stdio, time::Duration};

/// How long it may take to say so, in real time.
const PATIENCE: Duration = Duration::from_secs(2);

/// The release that the program at a path names when it is asked (`version`), such as `0.1.37`; none if it does not say.
pub async fn asked_version(program: &Path) -> Option<String> {
    let asked = tokio::process::Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().last().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_last_word_counts() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("agent");
        let say = |text: &str| {
            std::fs::write(
                &program,
                format!("#!/bin/sh\n[ \"$1\" = version ] && {text}\n"),
            )
            .unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        say("echo eks-pod-identity-agent 0.1.37");
        assert_eq!(asked_version(&program).await.as_deref(), Some("0.1.37"));
        say("true");
        assert_eq!(asked_version(&program).await, None);
        assert_eq!(asked_version(Path::new("/nowhere")).await, None);
    }
}
