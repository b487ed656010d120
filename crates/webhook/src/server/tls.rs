//! The serving certificate: read from files, and again when they change.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::TlsFlags;
use crate::watch::DirectoryEvents;

/// A certificate and its key, in two files that may change while they are served.
#[derive(Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl CertificateFiles {
    /// Reads the files, which must be good now.
    pub fn open(certificate: &Path, key: &Path) -> io::Result<Arc<Self>> {
        let current = read(certificate, key)?;
        Ok(Arc::new(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(current)),
        }))
    }

    /// Follows the files for ever: they are read again whenever something happens in their directories, which also
    /// covers files that are replaced by renaming and the links of a mounted secret. What cannot be read leaves the
    /// certificate as it is.
    pub async fn follow(self: Arc<Self>) -> io::Result<()> {
        let directory = |path: &Path| match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut certificates = DirectoryEvents::new(&directory(&self.certificate))?;
        let mut keys = DirectoryEvents::new(&directory(&self.key))?;
        loop {
            tokio::select! {
                names = certificates.next() => names?,
                names = keys.next() => names?,
            };
            match read(&self.certificate, &self.key) {
                Ok(read) => {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    if current.cert != read.cert {
                        *current = Arc::new(read);
                        tracing::info!("Updated current TLS certificate");
                    }
                }
                Err(error) => tracing::error!("error re-reading certificate: {error}"),
            }
        }
    }
}

impl ResolvesServerCert for CertificateFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

fn read(certificate: &Path, key: &Path) -> io::Result<CertifiedKey> {
    let at = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| at(certificate, &e))?;
    if chain.is_empty() {
        return Err(at(certificate, &"no certificate found"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| at(key, &e))?;
    let certified =
        CertifiedKey::from_der(chain, private, &rustls::crypto::ring::default_provider())
            .map_err(|e| at(key, &e))?;
    Ok(certified)
}

/// A server's TLS configuration with HTTP/2 and HTTP/1.1.
pub fn tls_config(
    flags: TlsFlags,
    certificate: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider {
        cipher_suites: flags.cipher_suites,
        ..rustls::crypto::ring::default_provider()
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&flags.versions)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
