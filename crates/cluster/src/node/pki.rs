//! Certificates and keys of a node, made anew for each: one authority, the servers, the clients, the service account key.
//!
//! They are valid from 1975 to 4096, so that moving the clock never ends one.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

use super::{Error, address::Addresses};

/// A client's or server's certificate and key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// The folder with a node's certificates.
#[derive(Debug, Clone)]
pub struct Pki {
    folder: PathBuf,
    /// The authority's certificate, in PEM.
    pub authority: String,
    /// A member of `system:masters`.
    pub admin: Identity,
}

/// Who gets a client certificate: file name, organisation, common name.
const CLIENTS: [(&str, Option<&str>, &str); 6] = [
    ("admin", Some("system:masters"), "emu-admin"),
    (
        "kubelet-client",
        Some("system:masters"),
        "apiserver-kubelet-client",
    ),
    ("controller-manager", None, "system:kube-controller-manager"),
    ("scheduler", None, "system:kube-scheduler"),
    ("proxy", None, "system:kube-proxy"),
    ("node", Some("system:nodes"), ""),
];

impl Pki {
    /// Makes everything and writes it to `folder`. `loopback` names of the API server are always included.
    ///
    /// # Errors
    /// When a file cannot be written or a key not be made.
    pub fn create(folder: &Path, node: &str, addresses: &Addresses) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
        let ca = authority("emu-ca")?;
        let write = |name: &str, identity: &Identity| -> Result<(), Error> {
            write_file(&folder.join(format!("{name}.crt")), &identity.certificate)?;
            write_file(&folder.join(format!("{name}.key")), &identity.key)
        };
        let authority = Identity {
            certificate: ca.pem(),
            key: ca.key().serialize_pem(),
        };
        write("ca", &authority)?;
        let server_names = [
            "127.0.0.1".to_owned(),
            addresses.node.to_string(),
            addresses.kubernetes.to_string(),
            "localhost".into(),
            "kubernetes".into(),
            "kubernetes.default".into(),
            "kubernetes.default.svc".into(),
            "kubernetes.default.svc.cluster.local".into(),
        ];
        write("apiserver", &server(&ca, "kube-apiserver", &server_names)?)?;
        let kubelet_names = [addresses.node.to_string(), node.to_owned()];
        write("kubelet", &server(&ca, node, &kubelet_names)?)?;
        let mut admin = None;
        for (name, organisation, common) in CLIENTS {
            let common = if common.is_empty() {
                format!("system:node:{node}")
            } else {
                common.to_owned()
            };
            let identity = client(&ca, organisation, &common)?;
            write(name, &identity)?;
            let server = format!("https://{}", addresses.api_server());
            let text = kubeconfig("emu", &server, &authority.certificate, &identity)?;
            write_file(&folder.join(format!("{name}.conf")), &text)?;
            if name == "admin" {
                admin = Some(identity);
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            authority: authority.certificate,
            admin: admin.ok_or_else(|| Error::Certificate("no administrator".into()))?,
        })
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> String {
        file(&self.folder, name)
    }
}

/// Makes the key that signs service account tokens (RSA, as on EKS) and writes it to `folder`: `sa.key`, `sa.pub`.
///
/// # Errors
/// When a file cannot be written.
pub fn create_service_account_key(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    let certificate = |e: &dyn std::fmt::Display| Error::Certificate(e.to_string());
    let key =
        rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|e| certificate(&e))?;
    let private = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|e| certificate(&e))?;
    let public = key
        .to_public_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(|e| certificate(&e))?;
    write_file(&folder.join("sa.key"), &private)?;
    write_file(&folder.join("sa.pub"), &public)
}

/// The text of a kubeconfig with everything inside it. JSON is YAML, so JSON it is.
///
/// # Errors
/// When the text cannot be made.
pub fn kubeconfig(
    context: &str,
    server: &str,
    authority: &str,
    identity: &Identity,
) -> Result<String, Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let value = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": context, "user": {
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    });
    serde_json::to_string_pretty(&value).map_err(|e| Error::Certificate(e.to_string()))
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file("writing", path))
}

type Ca = CertifiedIssuer<'static, KeyPair>;

fn failed(error: rcgen::Error) -> Error {
    Error::Certificate(error.to_string())
}

/// A self-signed authority.
pub(crate) fn authority(name: &str) -> Result<Ca, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)
}

/// A server's certificate for these names and addresses.
pub(crate) fn server(ca: &Ca, common: &str, names: &[String]) -> Result<Identity, Error> {
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf(ca, params)
}

fn client(ca: &Ca, organisation: Option<&str>, common: &str) -> Result<Identity, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(organisation) = organisation {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    leaf(ca, params)
}

fn leaf(ca: &Ca, mut params: CertificateParams) -> Result<Identity, Error> {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, ca).map_err(failed)?;
    Ok(Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_the_node_reads_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::create(dir.path(), "node0", &Addresses::default()).unwrap();
        for name in [
            "ca.crt",
            "ca.key",
            "apiserver.crt",
            "kubelet.key",
            "kubelet-client.crt",
            "controller-manager.conf",
            "scheduler.conf",
            "node.conf",
            "admin.conf",
        ] {
            assert!(Path::new(&pki.file(name)).exists(), "{name}");
        }
        let text = fs::read_to_string(pki.file("node.conf")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["clusters"][0]["cluster"]["server"],
            "https://10.99.0.2:6443"
        );
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(pki.file("ca.key")).unwrap());
        assert_eq!(mode & 0o077, 0);
    }
}
