//! Conditional requests (RFC 9110, as S3 answers them).

use emu_cloud::{
    ServiceError,
    s3::{Object, OnlyIf},
};
use jiff::fmt::rfc2822;

use super::ask::Ask;

// docs
fn failed(condition: &str) -> ServiceError {
    ServiceError::new(
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    )
    .with("Condition", condition)
}

fn names(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).trim_matches('"') == etag)
}

/// Whether an object may be read. `prefix` is empty, or `x-amz-copy-source-` for the source of a copy.
pub(super) fn check(ask: &Ask<'_>, prefix: &str, object: &Object) -> Result<(), ServiceError> {
    let header = |name: &str| ask.header(&format!("{prefix}{name}"));
    let moment = |name: &str| Some(rfc2822::parse(header(name)?).ok()?.timestamp().as_second());
    let modified = object.modified.as_second();
    match header("if-match") {
        Some(etags) if !names(etags, &object.etag) => return Err(failed("If-Match")),
        None if moment("if-unmodified-since").is_some_and(|at| modified > at) => {
            return Err(failed("If-Unmodified-Since"));
        }
        _ => {}
    }
    let unmodified = match header("if-none-match") {
        Some(etags) => names(etags, &object.etag).then_some("If-None-Match"),
        None => moment("if-modified-since")
            .is_some_and(|at| modified <= at)
            .then_some("If-Modified-Since"),
    };
    match unmodified {
        None => Ok(()),
        Some(_) if prefix.is_empty() => Err(ServiceError::new("NotModified", 304, "Not Modified")
            .with("ETag", format!("\"{}\"", object.etag))),
        Some(condition) => Err(failed(condition)),
    }
}

/// The condition of a write.
pub(super) fn only_if(ask: &Ask<'_>) -> Option<OnlyIf> {
    if ask.header("if-none-match") == Some("*") {
        return Some(OnlyIf::Absent);
    }
    ask.header("if-match")
        .map(|etag| OnlyIf::Is(etag.trim_matches('"').to_owned()))
}
