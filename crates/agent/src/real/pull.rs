//! `emu agent pull`: Amazon's agent out of its public image, over the OCI protocol.

use std::{
    io::{self, Read, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::Args;
use flate2::read::GzDecoder;
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};

use super::{
    RealAgent,
    find::{PROGRAM, cache_folder},
};

/// Amazon's public image of the agent. Source: the agent's release workflow.
const IMAGE: &str = "public.ecr.aws/eks/eks-pod-identity-agent";
/// The release whose behaviour the twin has.
const VERSION: &str = "0.1.37";
/// A layer larger than this is not the agent's.
const MAX_PROGRAM: u64 = 512 << 20;

/// The flags of `emu agent pull`.
#[derive(Clone, Debug, Args)]
pub struct PullArgs {
    /// The release to fetch.
    #[arg(long, default_value = VERSION)]
    pub version: String,
    /// The image to fetch it from, without a tag.
    #[arg(long, default_value = IMAGE)]
    pub image: String,
    /// The registry speaks plain HTTP.
    #[arg(long)]
    pub plain_http: bool,
    /// The folder to keep it in; emu's cache folder if absent.
    #[arg(long)]
    pub cache: Option<PathBuf>,
}

impl Default for PullArgs {
    fn default() -> Self {
        Self {
            version: VERSION.into(),
            image: IMAGE.into(),
            plain_http: false,
            cache: None,
        }
    }
}

/// Why the agent could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The reference is none.
    #[error("`{reference}` is not an image reference: {reason}")]
    Reference {
        /// What was made of image and version.
        reference: String,
        /// Why not.
        reason: String,
    },
    /// The registry did not give the image.
    #[error("{reference}: {reason}")]
    Registry {
        /// The image.
        reference: String,
        /// The reason, with its causes.
        reason: String,
    },
    /// The image does not contain the program.
    #[error("{0} does not contain /eks-pod-identity-agent")]
    NotInImage(String),
    /// There is no folder to keep it in.
    #[error("no cache folder: set EMU_CACHE or HOME")]
    NoCacheFolder,
    /// It could not be written.
    #[error("{path}: {source}")]
    Write {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Fetches the image's layers for this machine's platform, from the last one back, until one has the program. Digests
/// are verified.
///
/// # Errors
/// When anything on the way fails; nothing is left half-written.
pub async fn pull(args: &PullArgs) -> Result<RealAgent, PullError> {
    let reference = format!("{}:{}", args.image, args.version);
    let image: Reference = reference.parse().map_err(|e| PullError::Reference {
        reference: reference.clone(),
        reason: format!("{e}"),
    })?;
    let cache = args
        .cache
        .clone()
        .or_else(cache_folder)
        .ok_or(PullError::NoCacheFolder)?;
    let folder = cache.join("agent").join(&args.version);
    let write_error = |source| PullError::Write {
        path: folder.clone(),
        source,
    };
    std::fs::create_dir_all(&folder).map_err(write_error)?;

    // The client takes the process's TLS provider; if there is one already, so much the better.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let set = |name: &str| {
        std::env::var(name)
            .or_else(|_| std::env::var(name.to_lowercase()))
            .ok()
    };
    let client = Client::new(ClientConfig {
        protocol: if args.plain_http {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        },
        platform_resolver: Some(Box::new(oci_client::client::current_platform_resolver)),
        http_proxy: set("HTTP_PROXY"),
        https_proxy: set("HTTPS_PROXY"),
        no_proxy: set("NO_PROXY"),
        ..ClientConfig::default()
    });
    let registry_error = |e: &dyn std::error::Error| {
        let mut reason = e.to_string();
        let mut source = e.source();
        while let Some(inner) = source {
            reason += &format!(": {inner}");
            source = inner.source();
        }
        PullError::Registry {
            reference: reference.clone(),
            reason,
        }
    };
    let (manifest, _) = client
        .pull_image_manifest(&image, &RegistryAuth::Anonymous)
        .await
        .map_err(|e| registry_error(&e))?;
    for layer in manifest.layers.iter().rev() {
        let mut blob = Vec::new();
        client
            .pull_blob(&image, layer, &mut blob)
            .await
            .map_err(|e| registry_error(&e))?;
        if let Some(program) = program_in(layer, &blob).map_err(write_error)? {
            let path = folder.join(PROGRAM);
            store(&path, &program).map_err(|source| PullError::Write {
                path: path.clone(),
                source,
            })?;
            return RealAgent::at(&path).map_err(|e| PullError::Write {
                path: path.clone(),
                source: io::Error::other(e),
            });
        }
    }
    Err(PullError::NotInImage(reference))
}

/// The program, if the layer has it.
fn program_in(layer: &OciDescriptor, blob: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let packed = layer.media_type.ends_with("gzip") || blob.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if packed {
        Box::new(GzDecoder::new(blob))
    } else {
        Box::new(blob)
    };
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let entry = entry?;
        let is_it = entry.path()?.strip_prefix("./").map_or_else(
            |_| {
                entry.path().is_ok_and(|path| {
                    path == Path::new(PROGRAM) || path == Path::new("/").join(PROGRAM)
                })
            },
            |path| path == Path::new(PROGRAM),
        );
        if is_it && entry.header().entry_type().is_file() {
            let mut program = Vec::new();
            entry.take(MAX_PROGRAM).read_to_end(&mut program)?;
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// Writes beside the place and moves there, so that nobody runs half a program.
fn store(path: &Path, program: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o755)
        .open(&new)?;
    file.write_all(program)?;
    file.rewind()?;
    drop(file);
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&new, path)
}
