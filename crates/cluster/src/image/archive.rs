//! The OCI image layout in a tar: what `ctr images import`, `docker load` and `kind load image-archive` read. Engines before Docker 25 know
//! only Docker's own list of its images, which is therefore in it too, as in what `docker save` writes today.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom},
    path::Path,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Error, Image, layer};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// This machine's architecture in the words of container images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Writes an archive with these images. Images with the same files share one layer, which is written once.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_archive(path: &Path, images: &[Image]) -> Result<(), Error> {
    let failed = Error::file;
    let file = File::create(path).map_err(failed(path))?;
    let mut archive = Archive {
        tar: tar::Builder::new(BufWriter::new(file)),
        written: Vec::new(),
        path,
    };
    let mut index = Vec::new();
    let mut list = Vec::new();
    let mut layers: Vec<(&Image, Value)> = Vec::new();
    for image in images {
        let known = layers
            .iter()
            .find(|(other, _)| other.entries == image.entries);
        let layer = match known {
            Some((_, layer)) => layer.clone(),
            None => {
                let layer = archive.layer(image)?;
                layers.push((image, layer.clone()));
                layer
            }
        };
        let (descriptor, entry) = archive.image(image, &layer)?;
        index.push(descriptor);
        list.push(entry);
    }
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": index});
    archive.bytes("index.json", index.to_string().as_bytes())?;
    archive.bytes("manifest.json", Value::from(list).to_string().as_bytes())?;
    archive.bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive
        .tar
        .into_inner()
        .and_then(|out| {
            out.into_inner()
                .map_err(std::io::IntoInnerError::into_error)
        })
        .map(drop)
        .map_err(failed(path))
}

struct Archive<'a> {
    tar: tar::Builder<BufWriter<File>>,
    written: Vec<String>,
    path: &'a Path,
}

impl Archive<'_> {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.append(name, bytes.len() as u64, bytes)
    }

    fn append(&mut self, name: &str, size: u64, data: impl std::io::Read) -> Result<(), Error> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(size);
        header.set_mtime(0);
        self.tar
            .append_data(&mut header, name, data)
            .map_err(Error::file(self.path))
    }

    /// A descriptor of bytes that are in the archive.
    fn blob(&mut self, kind: &str, bytes: &[u8]) -> Result<Value, Error> {
        let digest = hex::encode(Sha256::digest(bytes));
        if !self.written.contains(&digest) {
            self.bytes(&format!("blobs/sha256/{digest}"), bytes)?;
            self.written.push(digest.clone());
        }
        Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()}))
    }

    /// Layers may be large, so they go through a file beside the archive rather than through memory.
    fn layer(&mut self, image: &Image) -> Result<Value, Error> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        let mut file = tempfile::tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
            .map_err(Error::file(self.path))?;
        let mut out = layer::Hashing::new(BufWriter::new(&mut file));
        layer::write(image, &mut out)?;
        std::io::Write::flush(&mut out).map_err(Error::file(self.path))?;
        let (digest, size) = out.finish();
        file.seek(SeekFrom::Start(0))
            .map_err(Error::file(self.path))?;
        if !self.written.contains(&digest) {
            self.append(&format!("blobs/sha256/{digest}"), size, file)?;
            self.written.push(digest.clone());
        }
        Ok(json!({"mediaType": LAYER, "digest": format!("sha256:{digest}"), "size": size}))
    }

    /// An image's descriptor, and its entry in Docker's list.
    fn image(&mut self, image: &Image, layer: &Value) -> Result<(Value, Value), Error> {
        let epoch = "1970-01-01T00:00:00Z";
        let mut run = json!({"Env": image.env, "WorkingDir": "/"});
        if !image.entrypoint.is_empty() {
            run["Entrypoint"] = json!(image.entrypoint);
        }
        if !image.command.is_empty() {
            run["Cmd"] = json!(image.command);
        }
        if !image.user.is_empty() {
            run["User"] = json!(image.user);
        }
        let config = json!({
            "created": epoch, "architecture": architecture(), "os": "linux", "config": run,
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            "history": [{"created": epoch, "created_by": "emu"}],
        });
        let config = self.blob(CONFIG, config.to_string().as_bytes())?;
        let entry =
            json!({"Config": place(&config), "RepoTags": [image.name], "Layers": [place(layer)]});
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let mut descriptor = self.blob(MANIFEST, manifest.to_string().as_bytes())?;
        let tag = image.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        descriptor["annotations"] = json!({
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": tag,
        });
        descriptor["platform"] = json!({"architecture": architecture(), "os": "linux"});
        Ok((descriptor, entry))
    }
}

/// Where in the archive the bytes of a descriptor are.
fn place(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Read};

    use super::*;
    use crate::image::Entry;

    fn read(path: &Path) -> HashMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(path).unwrap());
        archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                (entry.path().unwrap().display().to_string(), bytes)
            })
            .collect()
    }

    fn file(name: &str) -> Image {
        Image::new(name).entry(
            "/etc/x/y",
            Entry::File {
                bytes: b"hi".to_vec(),
                mode: 0o644,
            },
        )
    }

    #[test]
    fn every_digest_names_its_bytes_and_equal_layers_are_shared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        let images = [
            file("local/a:1").entrypoint(["/a"]),
            file("local/b:2").command(["b"]),
        ];
        write_archive(&path, &images).unwrap();
        let files = read(&path);
        // Two configurations, two manifests, one layer.
        assert_eq!(files.keys().filter(|k| k.starts_with("blobs/")).count(), 5);
        for (name, bytes) in &files {
            if let Some(digest) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(digest, hex::encode(Sha256::digest(bytes)));
            }
        }
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!(
            index["manifests"][1]["annotations"]["io.containerd.image.name"],
            "local/b:2"
        );
        assert_eq!(
            index["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"],
            "2"
        );
        let list: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(list[1]["RepoTags"], json!(["local/b:2"]));
        for name in [&list[1]["Config"], &list[0]["Layers"][0]] {
            assert!(files.contains_key(name.as_str().unwrap()), "{name}");
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.tar"), dir.path().join("b.tar"));
        write_archive(&a, &[file("local/a:1")]).unwrap();
        write_archive(&b, &[file("local/a:1")]).unwrap();
        assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    }
}
