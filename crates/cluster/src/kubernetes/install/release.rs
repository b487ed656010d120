//! The project's own binaries, each verified against the checksum announced beside it.

use std::{fs, io::Read, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use super::{
    Error, Progress,
    download::{Downloader, Fetched},
    version::Version,
};

/// Where releases are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSites {
    /// Kubernetes: `BASE/v1.34.4/bin/linux/amd64/kubelet` and the same with `.sha256`.
    pub kubernetes: String,
    /// etcd: `BASE/v3.6.5/etcd-v3.6.5-linux-amd64.tar.gz` and `BASE/v3.6.5/SHA256SUMS`.
    pub etcd: String,
}

impl Default for ReleaseSites {
    fn default() -> Self {
        Self {
            kubernetes: "https://dl.k8s.io/release".into(),
            etcd: "https://github.com/etcd-io/etcd/releases/download".into(),
        }
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

pub(super) async fn download(
    folder: &Path,
    version: &Version,
    missing: &[String],
    sites: &ReleaseSites,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let downloader = Downloader::new()?;
    for binary in missing {
        progress(Progress::Begun {
            binary: binary.clone(),
            build: false,
        });
        let began = Instant::now();
        let target = folder.join(binary);
        let partial = folder.join(format!(".{binary}.downloading"));
        let result = if binary == "etcd" {
            etcd(&downloader, version, sites, &partial).await
        } else {
            kubernetes(&downloader, version, sites, binary, &partial).await
        };
        let finished = result.and_then(|()| {
            fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))
                .and_then(|()| fs::rename(&partial, &target))
                .map_err(Error::file(&target))
        });
        if finished.is_err() {
            let _ = fs::remove_file(&partial);
        }
        finished?;
        progress(Progress::Done {
            binary: binary.clone(),
            took: began.elapsed(),
        });
    }
    Ok(())
}

async fn kubernetes(
    downloader: &Downloader,
    version: &Version,
    sites: &ReleaseSites,
    binary: &str,
    to: &Path,
) -> Result<(), Error> {
    let url = format!(
        "{}/v{}/bin/linux/{}/{binary}",
        sites.kubernetes.trim_end_matches('/'),
        version.number,
        architecture()
    );
    let announced = downloader.text(&format!("{url}.sha256")).await?;
    let announced = announced.split_whitespace().next().unwrap_or_default();
    let fetched = downloader.file(&url, to).await?;
    verify(&fetched, announced)
}

async fn etcd(
    downloader: &Downloader,
    version: &Version,
    sites: &ReleaseSites,
    to: &Path,
) -> Result<(), Error> {
    let number = version.etcd;
    let base = format!("{}/v{number}", sites.etcd.trim_end_matches('/'));
    let name = format!("etcd-v{number}-linux-{}.tar.gz", architecture());
    let sums = downloader.text(&format!("{base}/SHA256SUMS")).await?;
    let announced = sums
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(_, file)| file.trim().trim_start_matches('*') == name)
        .map(|(sum, _)| sum)
        .unwrap_or_default();
    let archive = to.with_extension("tar.gz");
    let fetched = downloader.file(&format!("{base}/{name}"), &archive).await;
    let result = fetched.and_then(|fetched| {
        verify(&fetched, announced)?;
        unpack(&archive, to)
    });
    let _ = fs::remove_file(&archive);
    result
}

fn verify(fetched: &Fetched, announced: &str) -> Result<(), Error> {
    if !announced.is_empty() && announced.eq_ignore_ascii_case(&fetched.sha256) {
        return Ok(());
    }
    Err(Error::Checksum {
        url: fetched.url.clone(),
        expected: if announced.is_empty() {
            "nothing".into()
        } else {
            announced.to_owned()
        },
        found: fetched.sha256.clone(),
    })
}

/// Takes the one program out of etcd's archive.
fn unpack(archive: &Path, to: &Path) -> Result<(), Error> {
    let failed = Error::file;
    let file = fs::File::open(archive).map_err(failed(archive))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(failed(archive))? {
        let mut entry = entry.map_err(failed(archive))?;
        let path = entry.path().map_err(failed(archive))?;
        let is_it = path.file_name().is_some_and(|name| name == "etcd");
        if is_it && entry.header().entry_type().is_file() {
            let mut out = fs::File::create(to).map_err(failed(to))?;
            let size = entry.size();
            let copied =
                std::io::copy(&mut entry.by_ref().take(size), &mut out).map_err(failed(to))?;
            if copied == size {
                return Ok(());
            }
        }
    }
    Err(Error::Download {
        url: archive.display().to_string(),
        why: "the archive has no etcd in it".into(),
    })
}
