//! The calls.

use std::time::Instant;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::{Builder, tls};

use crate::{
    Report,
    report::{Failure, source},
};

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Who am I?
    Identity,
    /// The objects of a bucket.
    List(String),
    /// An object.
    Get(String, String),
    /// An object, written.
    Put(String, String, String),
}

impl Call {
    /// Reads the arguments; nothing if they are not understood.
    pub fn parse(arguments: &[String]) -> Option<Self> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Some(match words.as_slice() {
            ["identity"] => Self::Identity,
            ["list", bucket] => Self::List((*bucket).into()),
            ["get", bucket, key] => Self::Get((*bucket).into(), (*key).into()),
            ["put", bucket, key, text] => {
                Self::Put((*bucket).into(), (*key).into(), (*text).into())
            }
            _ => return None,
        })
    }

    /// Makes the call with credentials from the default chain.
    pub async fn make(&self) -> Report {
        let began = Instant::now();
        // The system's certificates take longer to read than the call takes: only where they are needed.
        let plain = std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://"));
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let http = match plain {
            true => Builder::new().build_http(),
            false => Builder::new().tls_provider(ring).build_https(),
        };
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .load()
            .await;
        let mut report = Report::default();
        if let Some(provider) = config.credentials_provider()
            && let Ok(credentials) = provider.provide_credentials().await
        {
            report.access_key_id = Some(credentials.access_key_id().to_owned());
            report.source = source(&credentials);
            report.expires_at = credentials
                .expiry()
                .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
                .map(|age| age.as_secs());
        }
        if let Err(failure) = self.answer(&config, &mut report).await {
            report.error = Some(failure);
        }
        report.millis = began.elapsed().as_millis() as u64;
        report
    }

    async fn answer(&self, config: &SdkConfig, report: &mut Report) -> Result<(), Failure> {
        let s3 = || {
            let path_style = aws_sdk_s3::config::Builder::from(config)
                .force_path_style(true)
                .build();
            aws_sdk_s3::Client::from_conf(path_style)
        };
        match self {
            Self::Identity => {
                let answer = aws_sdk_sts::Client::new(config)
                    .get_caller_identity()
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e))?;
                report.arn = answer.arn;
            }
            Self::List(bucket) => {
                let answer = s3()
                    .list_objects_v2()
                    .bucket(bucket)
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e))?;
                report.result = answer
                    .contents()
                    .iter()
                    .filter_map(|o| o.key.clone())
                    .collect();
            }
            Self::Get(bucket, key) => {
                let answer = s3()
                    .get_object()
                    .bucket(bucket)
                    .key(key)
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e))?;
                let bytes = answer.body.collect().await.map_err(|e| Failure {
                    code: None,
                    status: None,
                    message: e.to_string(),
                })?;
                report.result = vec![String::from_utf8_lossy(&bytes.into_bytes()).into_owned()];
            }
            Self::Put(bucket, key, text) => {
                s3().put_object()
                    .bucket(bucket)
                    .key(key)
                    .body(ByteStream::from(text.clone().into_bytes()))
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(Call::parse(&words("identity")), Some(Call::Identity));
        assert_eq!(Call::parse(&words("list b")), Some(Call::List("b".into())));
        assert_eq!(Call::parse(&words("list")), None);
    }
}
