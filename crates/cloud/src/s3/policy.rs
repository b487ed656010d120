//! What S3 takes as a bucket policy. The texts are S3's own, not IAM's (docs and threads).

use emu_policy::{Document, DocumentKind, PolicyFault};

use crate::ServiceError;

/// Judges a bucket policy.
pub(super) fn check(bucket: &str, text: &str) -> Result<(), ServiceError> {
    let malformed = |message: &str| ServiceError::new("MalformedPolicy", 400, message);
    if text.trim().is_empty() {
        return Err(ServiceError::new(
            "MissingRequestBodyError",
            400,
            "Request Body is empty",
        ));
    }
    if let Err(error) = Document::parse(text, DocumentKind::Resource) {
        let message = match error.fault {
            // thread
            PolicyFault::Json => "Policies must be valid JSON and the first byte must be '{'",
            // thread
            PolicyFault::Principal => "Invalid principal in policy",
            // thread
            PolicyFault::Action => "Policy has invalid action",
            // thread
            PolicyFault::Resource => "Policy has invalid resource",
            // thread
            PolicyFault::Condition => "Policy has an invalid condition key",
            // thread
            PolicyFault::Version => "The policy must contain a valid version string",
            // thread
            _ => "Invalid policy syntax.",
        };
        return Err(malformed(message).because(error.developer_text()));
    }
    let foreign = foreign_resource(bucket, text);
    match foreign {
        None => Ok(()),
        // thread
        Some(resource) => Err(malformed("Policy has invalid resource")
            .with("Detail", resource.clone())
            .because(format!("{resource} is not in bucket {bucket}"))),
    }
}

/// A bucket's policy may speak of the bucket and its objects alone.
fn foreign_resource(bucket: &str, text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let list = |value: &serde_json::Value| match value {
        serde_json::Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    let arn = format!("arn:aws:s3:::{bucket}");
    list(&value["Statement"])
        .iter()
        .flat_map(|statement| list(&statement["Resource"]))
        .filter_map(|resource| resource.as_str().map(str::to_owned))
        .find(|resource| {
            let pattern = resource.contains(['*', '?', '$']);
            let fits = resource.strip_prefix(&arn).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || rest.starts_with('*')
            });
            !fits && !(pattern && (resource == "*" || resource.starts_with("arn:aws:s3:::*")))
        })
}
