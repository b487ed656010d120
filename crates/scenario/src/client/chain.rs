//! The chain of credential providers, in botocore's order (measured): variables, web identity, container, instance
//! metadata.

use std::{collections::BTreeMap, time::Duration};

use emu_cluster::{Cluster, FetchRequest, FetchResponse, PodName};
use emu_core::Timestamp;
use serde_json::Value;

use super::{ApiAnswer, Keys};
use crate::{file::CredentialSource, given::ClientModel};

/// Credentials with where they came from.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The keys.
    pub keys: Keys,
    /// Where they came from.
    pub source: CredentialSource,
    /// When they expire.
    pub expires_at: Option<Timestamp>,
}

/// Why no credentials were found.
#[derive(Clone, Debug)]
pub struct ChainFailure {
    /// In the words an SDK would use.
    pub message: String,
    /// What the agent answered, if it was asked.
    pub agent: Option<FetchResponse>,
}

impl ChainFailure {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            agent: None,
        }
    }
}

/// What the chain works with.
pub(super) struct Surroundings<'a> {
    pub(super) cluster: &'a dyn Cluster,
    pub(super) pod: &'a PodName,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) model: &'a ClientModel,
    /// A token read earlier by a client that reads it once.
    pub(super) kept_token: &'a mut Option<String>,
    /// Where the emulator answers inside pods.
    pub(super) endpoint: &'a str,
}

/// Goes through the chain.
pub(super) async fn resolve(around: &mut Surroundings<'_>) -> Result<Credentials, ChainFailure> {
    let env = |name: &str| around.env.get(name).filter(|v| !v.is_empty()).cloned();
    if let (Some(access_key_id), Some(secret_access_key)) =
        (env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(Credentials {
            keys: Keys {
                access_key_id,
                secret_access_key,
                session_token: env("AWS_SESSION_TOKEN"),
            },
            source: CredentialSource::Static,
            expires_at: None,
        });
    }
    if let (Some(role), Some(_)) = (env("AWS_ROLE_ARN"), env("AWS_WEB_IDENTITY_TOKEN_FILE")) {
        return web_identity(around, &role).await;
    }
    if let Some(uri) = env("AWS_CONTAINER_CREDENTIALS_FULL_URI").filter(|_| around.model.knows_uri)
    {
        return container(around, &uri).await;
    }
    instance_metadata(around).await
}

async fn container(around: &mut Surroundings<'_>, uri: &str) -> Result<Credentials, ChainFailure> {
    let (host, path) =
        split_uri(uri).ok_or_else(|| ChainFailure::new(format!("unsupported URI {uri}")))?;
    if around.model.loopback_only && !host.starts_with("127.") && host != "localhost" {
        // The text of aws-sdk-go before release 2023-11-14 (catalogue G1).
        return Err(ChainFailure::new(format!(
            "invalid endpoint host, \"{}\", only loopback hosts are allowed.",
            host.trim_matches(['[', ']'])
        )));
    }
    let mut last = ChainFailure::new("Error when retrieving credentials from container-role");
    for _ in 0..around.model.attempts.max(1) {
        let mut request = FetchRequest {
            path: path.clone(),
            timeout: around.model.timeout.get(),
            ..FetchRequest::default()
        };
        // The usual address is the agent's, which the cluster knows best how to reach.
        if host != "169.254.170.23" {
            request.target = Some(
                if host.contains(':') && !host.starts_with('[') || host.contains("]:") {
                    host.clone()
                } else {
                    format!("{host}:80")
                },
            );
        }
        if around.model.knows_token_file
            && around
                .env
                .contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        {
            let token = match around.kept_token.clone() {
                Some(token) => token,
                None => {
                    let read = around
                        .cluster
                        .read_token(around.pod, emu_cloud::eks_auth::AUDIENCE)
                        .await
                        .map_err(|e| {
                            ChainFailure::new(format!("the token file could not be read: {e}"))
                        })?;
                    if around.model.token_read == crate::given::TokenRead::Once {
                        *around.kept_token = Some(read.clone());
                    }
                    read
                }
            };
            request = request.header(
                "Authorization",
                format!("{}{token}", around.model.token_prefix),
            );
        } else if let Some(token) = around.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            request = request.header("Authorization", token);
        }
        request = request.header("User-Agent", "emu-client/1");
        match around.cluster.fetch(around.pod, request).await {
            Ok(response) if response.status == 200 => {
                let keys = keys(&response, "Token").ok_or_else(|| ChainFailure {
                    message: "Unable to parse JSON returned from container metadata services"
                        .into(),
                    agent: Some(response.clone()),
                })?;
                return Ok(Credentials {
                    source: CredentialSource::PodIdentity,
                    ..keys
                });
            }
            Ok(response) => {
                last = ChainFailure {
                    // botocore's words (measured).
                    message: format!(
                        "Error when retrieving credentials from container-role: Error retrieving metadata: Received non 200 response {} from container metadata: {}",
                        response.status,
                        response.text().trim_end()
                    ),
                    agent: Some(response),
                };
            }
            Err(e) => {
                last = ChainFailure::new(format!(
                    "Error when retrieving credentials from container-role: Error retrieving metadata: {e}"
                ));
            }
        }
    }
    Err(last)
}

async fn web_identity(
    around: &mut Surroundings<'_>,
    role: &str,
) -> Result<Credentials, ChainFailure> {
    let token = around
        .cluster
        .read_token(around.pod, "sts.amazonaws.com")
        .await
        .map_err(|e| ChainFailure::new(format!("the web identity token could not be read: {e}")))?;
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={token}",
        role.replace(':', "%3A").replace('/', "%2F"),
        around
            .env
            .get("AWS_ROLE_SESSION_NAME")
            .map_or("botocore-session-1700000000", String::as_str),
    );
    let request = FetchRequest {
        method: "POST".into(),
        target: Some(around.endpoint.into()),
        path: "/".into(),
        body: body.into_bytes(),
        ..FetchRequest::default()
    }
    .header(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let response = around
        .cluster
        .fetch(around.pod, request)
        .await
        .map_err(|e| ChainFailure::new(e.to_string()))?;
    let answer = ApiAnswer::read(
        response.status,
        |name| response.header(name).map(str::to_owned),
        response.text(),
    );
    if !answer.ok() {
        return Err(ChainFailure::new(format!(
            "An error occurred ({}) when calling the AssumeRoleWithWebIdentity operation: {}",
            answer.code.unwrap_or_default(),
            answer.message.unwrap_or_default()
        )));
    }
    let element = |name: &str| {
        let start = answer.body.find(&format!("<{name}>"))? + name.len() + 2;
        let end = answer.body[start..].find('<')? + start;
        Some(answer.body[start..end].to_owned())
    };
    match (element("AccessKeyId"), element("SecretAccessKey")) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(Credentials {
            keys: Keys {
                access_key_id,
                secret_access_key,
                session_token: element("SessionToken"),
            },
            source: CredentialSource::Irsa,
            expires_at: element("Expiration").and_then(|text| text.parse().ok()),
        }),
        _ => Err(ChainFailure::new("STS answered without credentials")),
    }
}

async fn instance_metadata(around: &mut Surroundings<'_>) -> Result<Credentials, ChainFailure> {
    const ROLE: &str = "/latest/meta-data/iam/security-credentials/";
    // botocore's words.
    let nothing = || ChainFailure::new("Unable to locate credentials");
    let request = |method: &str, path: String| FetchRequest {
        method: method.into(),
        target: Some("169.254.169.254:80".into()),
        path,
        timeout: Duration::from_secs(1),
        ..FetchRequest::default()
    };
    let token = around
        .cluster
        .fetch(
            around.pod,
            request("PUT", "/latest/api/token".into())
                .header("X-aws-ec2-metadata-token-ttl-seconds", "21600"),
        )
        .await
        .ok()
        .filter(|response| response.status == 200)
        .ok_or_else(nothing)?
        .text();
    let get = |path: String| request("GET", path).header("X-aws-ec2-metadata-token", token.trim());
    let role = around
        .cluster
        .fetch(around.pod, get(ROLE.into()))
        .await
        .ok()
        .filter(|response| response.status == 200)
        .ok_or_else(nothing)?
        .text();
    let response = around
        .cluster
        .fetch(
            around.pod,
            get(format!("{ROLE}{}", role.lines().next().unwrap_or_default())),
        )
        .await
        .ok()
        .filter(|response| response.status == 200)
        .ok_or_else(nothing)?;
    let keys = keys(&response, "Token").ok_or_else(nothing)?;
    Ok(Credentials {
        source: CredentialSource::Imds,
        ..keys
    })
}

fn keys(response: &FetchResponse, token: &str) -> Option<Credentials> {
    let value: Value = serde_json::from_slice(&response.body).ok()?;
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Credentials {
        keys: Keys {
            access_key_id: text("AccessKeyId")?,
            secret_access_key: text("SecretAccessKey")?,
            session_token: text(token),
        },
        source: CredentialSource::None,
        expires_at: text("Expiration").and_then(|text| text.parse().ok()),
    })
}

fn split_uri(uri: &str) -> Option<(String, String)> {
    let rest = uri.strip_prefix("http://")?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let path = if slash == rest.len() {
        "/"
    } else {
        &rest[slash..]
    };
    Some((rest[..slash].to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        assert_eq!(
            split_uri("http://[fd00:ec2::23]/v1/credentials"),
            Some(("[fd00:ec2::23]".into(), "/v1/credentials".into()))
        );
        assert_eq!(split_uri("https://x"), None);
    }
}
