//! The SDK's default chain: environment, shared files, web identity, container, instance metadata.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, default_provider::credentials::DefaultCredentialsChain};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_smithy_http_client::tls;
use tokio::sync::{Mutex, OnceCell};

use super::{NodeCredentials, NodeKeys, NodeKeysError};

/// Keys are fetched anew this long before they expire.
const MARGIN: Duration = Duration::from_secs(10);

/// The default chain, made when keys are first needed.
#[derive(Debug, Default)]
pub struct DefaultChain {
    region: String,
    chain: OnceCell<DefaultCredentialsChain>,
    fetched: Mutex<Option<Credentials>>,
}

impl DefaultChain {
    /// The chain of a process in that region.
    pub fn new(region: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            ..Self::default()
        }
    }

    async fn chain(&self) -> &DefaultCredentialsChain {
        let build = async {
            let mut http = aws_smithy_http_client::Builder::new().tls_provider(
                tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring),
            );
            // A machine without roots (an image from scratch) has plain HTTP; the client takes their absence for a mistake.
            if rustls_native_certs::load_native_certs().certs.is_empty() {
                let none = tls::TlsContext::builder().with_trust_store(tls::TrustStore::empty());
                if let Ok(none) = none.build() {
                    http = http.tls_context(none);
                }
            }
            let http = http.build_https();
            let config = aws_config::provider_config::ProviderConfig::without_region()
                .with_http_client(http)
                .with_behavior_version(Some(BehaviorVersion::latest()));
            let mut builder = DefaultCredentialsChain::builder().configure(config);
            if !self.region.is_empty() {
                builder = builder.region(aws_config::Region::new(self.region.clone()));
            }
            builder.build().await
        };
        self.chain.get_or_init(|| build).await
    }
}

/// The end of Go's chain: instance metadata, without which there is nothing.
fn no_role() -> String {
    const WHAT: &str = "no EC2 IMDS role found, operation error ec2imds: GetMetadata, ";
    let disabled =
        std::env::var("AWS_EC2_METADATA_DISABLED").is_ok_and(|v| v.eq_ignore_ascii_case("true"));
    let why = if disabled {
        "access disabled to EC2 IMDS via client option, or \"AWS_EC2_METADATA_DISABLED\" environment variable"
    } else {
        "request canceled, context deadline exceeded"
    };
    format!("{WHAT}{why}")
}

/// The environment comes first in every SDK and needs no chain.
fn from_environment() -> Option<NodeKeys> {
    let get = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let either = |one, other| get(one).or_else(|| get(other));
    Some(NodeKeys {
        access_key_id: either("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY")?,
        secret_access_key: either("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")?,
        session_token: get("AWS_SESSION_TOKEN"),
    })
}

#[async_trait]
impl NodeCredentials for DefaultChain {
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        if let Some(keys) = from_environment() {
            return Ok(keys);
        }
        let mut fetched = self.fetched.lock().await;
        let fresh = fetched.as_ref().is_some_and(|keys| {
            keys.expiry()
                .is_none_or(|expiry| expiry > SystemTime::now() + MARGIN)
        });
        if !fresh {
            // Real time: these keys are somebody else's, outside the emulator.
            let text = |e: &aws_credential_types::provider::error::CredentialsError| {
                if matches!(
                    e,
                    aws_credential_types::provider::error::CredentialsError::CredentialsNotLoaded(
                        _
                    )
                ) {
                    return no_role();
                }
                let e: &dyn std::error::Error = e;
                let mut text = e.to_string();
                let mut source = e.source();
                while let Some(inner) = source {
                    text += &format!(", {inner}");
                    source = inner.source();
                }
                text
            };
            let new = self
                .chain()
                .await
                .provide_credentials()
                .await
                .map_err(|e| NodeKeysError(text(&e)))?;
            *fetched = Some(new);
        }
        let keys = fetched
            .as_ref()
            .ok_or_else(|| NodeKeysError("no credentials".into()))?;
        Ok(NodeKeys {
            access_key_id: keys.access_key_id().into(),
            secret_access_key: keys.secret_access_key().into(),
            session_token: keys.session_token().map(Into::into),
        })
    }
}
