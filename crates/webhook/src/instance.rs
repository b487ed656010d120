//! Where this instance lives, from its metadata: for `--compose-role-arn`.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::settings::Home;

/// The metadata service.
const ENDPOINT: &str = "http://169.254.169.254";

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The instance's partition and account.
pub(crate) async fn home() -> Result<Home, String> {
    let document = tokio::time::timeout(LIMIT, identity_document())
        .await
        .map_err(|_| "the metadata service did not answer in time".to_owned())??;
    let text = |name: &str| {
        document
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    Ok(Home {
        partition: partition(text("region")).to_owned(),
        account: text("accountId").to_owned(),
    })
}

/// The partition of a region, as the original tells it. (Its `us-iso-` also stands for what AWS calls `aws-iso`.)
fn partition(region: &str) -> &'static str {
    let prefixes = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eusc-", "aws-eusc"),
    ];
    prefixes
        .into_iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

async fn identity_document() -> Result<serde_json::Value, String> {
    let token = request(
        Request::builder()
            .method(Method::PUT)
            .uri(format!("{ENDPOINT}/latest/api/token"))
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
    )
    .await;
    let mut get = Request::builder().uri(format!(
        "{ENDPOINT}/latest/dynamic/instance-identity/document"
    ));
    match token {
        Ok(token) => get = get.header("x-aws-ec2-metadata-token", token.as_ref()),
        // The first version of the service knows no tokens.
        Err((
            Some(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED),
            _,
        )) => {}
        Err((_, message)) => return Err(message),
    }
    let document = request(get).await.map_err(|(_, message)| message)?;
    serde_json::from_slice(&document).map_err(|e| e.to_string())
}

async fn request(builder: http::request::Builder) -> Result<Bytes, (Option<StatusCode>, String)> {
    let failed = |error: &dyn std::fmt::Display| (None, error.to_string());
    let request = builder
        .body(Full::<Bytes>::default())
        .map_err(|e| failed(&e))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.map_err(|e| failed(&e))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), 1 << 20)
        .collect()
        .await
        .map_err(|e| failed(&e))?;
    if status.is_success() {
        Ok(body.to_bytes())
    } else {
        Err((
            Some(status),
            format!("the metadata service answered {status}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::partition;

    #[test]
    fn partitions() {
        assert_eq!(partition("eu-west-1"), "aws");
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("eusc-de-east-1"), "aws-eusc");
    }
}
