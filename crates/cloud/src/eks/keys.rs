//! The keys with which clusters sign service account tokens.
//!
//! Making an RSA key takes a good part of a second, so keys are shared: a world's n-th cluster takes the process's n-th
//! key, which also lives on in emu's cache folder. Issuers and key ids differ all the same, so no token passes for another
//! cluster's.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rsa::{
    RsaPrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding},
    traits::PublicKeyParts as _,
};
use sha2::{Digest as _, Sha256};

use super::oidc::Jwk;

/// A cluster's signing key. The private part goes to whoever mints the cluster's tokens and nowhere else.
#[derive(Clone)]
pub struct SigningKey {
    /// The key's id, as in the header of tokens.
    pub kid: String,
    /// The private key, PKCS #8 PEM.
    pub pem: Arc<str>,
    /// The issuer that goes with it.
    pub issuer: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.kid, self.issuer)
    }
}

/// A key without an owner.
#[derive(Clone)]
pub(super) struct PooledKey {
    pub(super) pem: Arc<str>,
    n: String,
    e: String,
}

impl PooledKey {
    pub(super) fn kid(&self, issuer: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(issuer);
        digest.update(&self.n);
        URL_SAFE_NO_PAD.encode(&digest.finalize()[..20])
    }

    pub(super) fn jwk(&self, issuer: &str) -> Jwk {
        Jwk {
            kid: self.kid(issuer),
            n: self.n.clone(),
            e: self.e.clone(),
        }
    }

    fn from_key(key: &RsaPrivateKey) -> Result<Self, String> {
        let pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| e.to_string())?;
        Ok(Self {
            pem: pem.as_str().into(),
            n: URL_SAFE_NO_PAD.encode(key.n().to_bytes_be()),
            e: URL_SAFE_NO_PAD.encode(key.e().to_bytes_be()),
        })
    }
}

static POOL: Mutex<Vec<PooledKey>> = Mutex::new(Vec::new());

/// The process's `n`-th key, made now if need be.
pub(super) fn pooled(n: usize) -> Result<PooledKey, String> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    while pool.len() <= n {
        let file = cache_file(pool.len());
        let kept = file
            .as_deref()
            .and_then(|file| fs::read_to_string(file).ok())
            .and_then(|pem| RsaPrivateKey::from_pkcs8_pem(&pem).ok())
            .and_then(|key| PooledKey::from_key(&key).ok());
        let key = match kept {
            Some(key) => key,
            None => {
                let made = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)
                    .map_err(|e| e.to_string())?;
                let key = PooledKey::from_key(&made)?;
                if let Some(file) = file {
                    // The cache only saves time; without it keys are made anew.
                    let _ = keep(&file, &key.pem);
                }
                key
            }
        };
        pool.push(key);
    }
    Ok(pool[n].clone())
}

fn cache_file(n: usize) -> Option<PathBuf> {
    let folder = std::env::var_os("EMU_CACHE")
        .map(PathBuf::from)
        .or_else(|| {
            std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
                .map(|cache| cache.join("emu"))
        })?;
    Some(folder.join("signing-keys").join(format!("{n}.pem")))
}

fn keep(file: &Path, pem: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{}-{}", std::process::id(), n_of(file)));
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?
        .write_all(pem.as_bytes())?;
    fs::rename(temporary, file)
}

fn n_of(file: &Path) -> String {
    file.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_has_another_id_under_every_issuer() {
        let key = pooled(0).unwrap();
        assert_ne!(key.kid("https://a"), key.kid("https://b"));
        assert_eq!(key.jwk("https://a").kid, key.kid("https://a"));
        assert_eq!(pooled(0).unwrap().pem, key.pem);
    }
}
