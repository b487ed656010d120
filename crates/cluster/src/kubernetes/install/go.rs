//! Building from Go modules. The flags matter: without the version the parts refuse each other.

use std::{path::Path, process::Stdio, time::Instant};

use tokio::process::Command;

use super::{Error, Progress, version::Version};

pub(super) async fn build(
    folder: &Path,
    version: &Version,
    missing: &[String],
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let modules = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    for (name, (module, sums)) in [
        ("kubernetes", version.kubernetes),
        ("etcd", version.etcd_modules),
    ] {
        let at = modules.path().join(name);
        std::fs::create_dir(&at).map_err(Error::file(&at))?;
        for (file, text) in [("go.mod", module), ("go.sum", sums)] {
            std::fs::write(at.join(file), text).map_err(Error::file(at.join(file)))?;
        }
    }
    for binary in missing {
        progress(Progress::Begun {
            binary: binary.clone(),
            build: true,
        });
        let began = Instant::now();
        let (module, package, flags) = package(binary, version);
        let target = folder.join(binary);
        let building = folder.join(format!(".{binary}.building"));
        let output = Command::new("go")
            .args(["build", "-trimpath", "-ldflags", &flags, "-o"])
            .arg(&building)
            .arg(&package)
            .current_dir(modules.path().join(module))
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env("GOFLAGS", "-mod=readonly")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|e| Error::Go {
                why: format!("running go: {e}"),
            })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = text.lines().collect();
            return Err(Error::Build {
                binary: binary.clone(),
                output: lines[lines.len().saturating_sub(20)..].join("\n"),
            });
        }
        std::fs::rename(&building, &target).map_err(Error::file(&target))?;
        progress(Progress::Done {
            binary: binary.clone(),
            took: began.elapsed(),
        });
    }
    Ok(())
}

/// The module folder, package and linker flags of a binary.
fn package(binary: &str, version: &Version) -> (&'static str, String, String) {
    if binary == "etcd" {
        return ("etcd", "go.etcd.io/etcd/server/v3".into(), "-s -w".into());
    }
    let minor = version.minor.split_once('.').map_or("", |(_, minor)| minor);
    let variable = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {variable}.gitVersion=v{} -X {variable}.gitMajor=1 -X {variable}.gitMinor={minor}",
        version.number
    );
    (
        "kubernetes",
        format!("k8s.io/kubernetes/cmd/{binary}"),
        flags,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_linked_in() {
        let version = super::super::find("1.33").unwrap();
        let (module, package, flags) = package("kubelet", version);
        assert_eq!(
            (module, &*package),
            ("kubernetes", "k8s.io/kubernetes/cmd/kubelet")
        );
        assert!(
            flags.contains("gitVersion=v1.33.13 ") && flags.ends_with("gitMinor=33"),
            "{flags}"
        );
    }
}
