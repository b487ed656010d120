//! `--tls-cipher-suites` and `--tls-min-version`, by Go's names.

use rustls::{
    SupportedCipherSuite, SupportedProtocolVersion, crypto::ring::cipher_suite as suite, version,
};

/// A TLS flag that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFlagError {
    /// A cipher suite Go does not have.
    #[error("invalid tls-cipher-suites: unsupported cipher suite: {0}")]
    CipherSuite(String),
    /// A version Go does not have.
    #[error("Invalid value for tls-min-version unsupported version {0}")]
    Version(String),
    /// A list that HTTP/2 cannot do with.
    #[error(
        "Error listening: \"http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher \
         (need at least one of TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)\""
    )]
    Http2,
}

/// What the TLS flags ask for.
#[derive(Clone, Debug)]
pub struct TlsFlags {
    /// The cipher suites offered. TLS 1.3's are always among them: Go's list has no say in those.
    pub cipher_suites: Vec<SupportedCipherSuite>,
    /// The versions offered. There is no TLS below 1.2 here, whatever the flag says.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

/// The suites of TLS 1.2 that exist here. Go's CBC suites are not among them.
const TLS12: [(&str, SupportedCipherSuite); 6] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

const TLS13: [SupportedCipherSuite; 3] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// Names Go 1.26 knows beside those: TLS 1.3's, the CBC suites, and the insecure ones.
const OTHERS: [&str; 19] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

impl TlsFlags {
    /// Reads the two flags; empty texts are flags not given.
    pub fn parse(cipher_suites: &str, min_version: &str) -> Result<Self, TlsFlagError> {
        let mut named: Vec<&str> = Vec::new();
        for name in cipher_suites
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if !TLS12.iter().any(|(known, _)| *known == name) && !OTHERS.contains(&name) {
                return Err(TlsFlagError::CipherSuite(name.to_owned()));
            }
            named.push(name);
        }
        let only_13 = match min_version {
            "" | "1.0" | "VersionTLS10" | "1.1" | "VersionTLS11" | "1.2" | "VersionTLS12" => false,
            "1.3" | "VersionTLS13" => true,
            other => return Err(TlsFlagError::Version(other.to_owned())),
        };
        let required = |name: &&str| {
            name.starts_with("TLS_ECDHE_") && name.ends_with("_WITH_AES_128_GCM_SHA256")
        };
        if !named.is_empty() && !only_13 && !named.iter().any(required) {
            return Err(TlsFlagError::Http2);
        }
        let mut suites = TLS13.to_vec();
        let chosen = TLS12
            .iter()
            .filter(|(name, _)| named.is_empty() || named.contains(name))
            .map(|(_, suite)| *suite);
        suites.extend(chosen);
        let versions = if only_13 {
            vec![&version::TLS13]
        } else {
            vec![&version::TLS13, &version::TLS12]
        };
        Ok(Self {
            cipher_suites: suites,
            versions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        let suites = |text| TlsFlags::parse(text, "").map(|flags| flags.cipher_suites.len());
        assert_eq!(suites(""), Ok(9));
        assert_eq!(suites(" , "), Ok(9));
        assert_eq!(
            suites(" TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ,,TLS_RSA_WITH_RC4_128_SHA"),
            Ok(4)
        );
        assert!(matches!(
            suites("TLS_NONE"),
            Err(TlsFlagError::CipherSuite(_))
        ));
        assert_eq!(suites("TLS_RSA_WITH_RC4_128_SHA"), Err(TlsFlagError::Http2));
        let versions = |text| TlsFlags::parse("", text).map(|flags| flags.versions.len());
        for text in ["1.0", "1.2", "VersionTLS11"] {
            assert_eq!(versions(text), Ok(2), "{text}");
        }
        assert_eq!(versions("VersionTLS13"), Ok(1));
        for bad in ["1.4", "TLS1.2", "13"] {
            assert!(versions(bad).is_err(), "{bad}");
        }
    }
}
