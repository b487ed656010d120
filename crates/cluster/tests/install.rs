//! Obtaining binaries: from a release server on the loopback, and, when asked, from Go modules.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::MetadataExt,
};

use emu_cluster::kubernetes::install::{Error, Progress, ReleaseSites, Source, find, install};
use sha2::{Digest, Sha256};

/// A script that says it is a version, as the real binaries do.
fn binary(name: &str, number: &str, etcd: &str) -> Vec<u8> {
    let says = match name {
        "etcd" => format!("etcd Version: {etcd}"),
        "kubectl" => format!("Client Version: v{number}"),
        _ => format!("Kubernetes v{number}"),
    };
    format!("#!/bin/sh\necho '{says}'\n").into_bytes()
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Everything a release site has, by path.
fn site(number: &str, etcd: &str) -> HashMap<String, Vec<u8>> {
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let mut files = HashMap::new();
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kubectl",
    ] {
        let path = format!("/k/v{number}/bin/linux/{arch}/{name}");
        let bytes = binary(name, number, etcd);
        files.insert(format!("{path}.sha256"), sum(&bytes).into_bytes());
        files.insert(path, bytes);
    }
    let name = format!("etcd-v{etcd}-linux-{arch}");
    let bytes = binary("etcd", number, etcd);
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, format!("{name}/etcd"), bytes.as_slice())
        .unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let sums = format!(
        "{}  other.tar.gz\n{}  {name}.tar.gz\n",
        sum(b"x"),
        sum(&archive)
    );
    files.insert(format!("/e/v{etcd}/SHA256SUMS"), sums.into_bytes());
    files.insert(format!("/e/v{etcd}/{name}.tar.gz"), archive);
    files
}

/// Serves these files, behind one redirect as the real site does; returns where.
fn serve(files: HashMap<String, Vec<u8>>) -> ReleaseSites {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let mut rest = String::new();
            while reader.read_line(&mut rest).unwrap() > 2 {
                rest.clear();
            }
            let path = line.split(' ').nth(1).unwrap_or_default();
            let answer = match (path.strip_prefix("/moved"), files.get(path.strip_prefix("/moved").unwrap_or(path))) {
                (Some(_), Some(bytes)) => {
                    let mut answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", bytes.len()).into_bytes();
                    answer.extend(bytes);
                    answer
                }
                (None, Some(_)) => format!("HTTP/1.1 302 Found\r\nlocation: /moved{path}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").into_bytes(),
                _ => b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer);
        }
    });
    ReleaseSites {
        kubernetes: format!("{base}/k"),
        etcd: format!("{base}/e/"),
    }
}

#[tokio::test]
async fn a_release_is_downloaded_verified_and_not_fetched_twice() {
    let cache = tempfile::tempdir().unwrap();
    let version = find("1.34").unwrap();
    let source = Source::Release(serve(site(version.number, version.etcd)));
    let mut lines = Vec::new();
    let folder = install(cache.path(), version, &source, &[], &mut |p| lines.push(p))
        .await
        .unwrap();
    assert_eq!(lines.len(), 12, "{lines:?}");
    let etcd = std::fs::metadata(folder.join("etcd")).unwrap();
    assert_eq!(etcd.mode() & 0o777, 0o755);
    // A second time nothing is done, but for what is not right.
    std::fs::write(
        folder.join("kubelet"),
        "#!/bin/sh\necho Kubernetes v1.2.3\n",
    )
    .unwrap();
    lines.clear();
    install(cache.path(), version, &source, &[], &mut |p| lines.push(p))
        .await
        .unwrap();
    let present = lines
        .iter()
        .filter(|p| matches!(p, Progress::Present(_)))
        .count();
    assert_eq!((present, lines.len()), (5, 7), "{lines:?}");
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left.len(), 6, "{left:?}");
}

#[tokio::test]
async fn a_download_that_does_not_match_is_refused() {
    let version = find("1.34").unwrap();
    for broken in ["kubelet", "tar.gz"] {
        let cache = tempfile::tempdir().unwrap();
        let mut files = site(version.number, version.etcd);
        for (path, bytes) in &mut files {
            if path.ends_with(broken) {
                bytes.push(b'\n');
            }
        }
        let source = Source::Release(serve(files));
        let error = install(cache.path(), version, &source, &[], &mut |_| {})
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Checksum { .. }), "{error}");
        let kept: Vec<_> = walk(cache.path())
            .into_iter()
            .filter(|name| name.contains("ing") || name.contains(broken))
            .collect();
        assert!(kept.is_empty(), "{kept:?}");
    }
}

#[tokio::test]
async fn a_missing_checksum_or_site_is_an_error_that_names_it() {
    let cache = tempfile::tempdir().unwrap();
    let version = find("1.34").unwrap();
    let source = Source::Release(serve(HashMap::new()));
    let error = install(cache.path(), version, &source, &[], &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("kube-apiserver.sha256") && error.to_string().contains("404"),
        "{error}"
    );
}

fn walk(at: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(at).unwrap().flatten() {
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()));
        } else {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names
}

/// Building takes minutes: set `EMU_TEST_GO_BUILD` to a cache folder to have one binary built in it.
#[tokio::test]
async fn binaries_are_built_from_pinned_modules() {
    let Some(cache) = std::env::var_os("EMU_TEST_GO_BUILD") else {
        eprintln!("skipped: EMU_TEST_GO_BUILD is not set");
        return;
    };
    for version in &emu_cluster::kubernetes::install::VERSIONS {
        install(cache.as_ref(), version, &Source::Go, &[], &mut |p| {
            println!("{p}");
        })
        .await
        .unwrap();
    }
}
