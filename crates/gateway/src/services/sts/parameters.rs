//! Reading the parameters of STS.

use std::time::Duration;

use emu_cloud::{ServiceError, iam::Tag};

use super::Params;

/// A 32-bit number. Snapshots: `+900` and `0900` are accepted; what cannot be read is MalformedInput, with a text only if
/// there is nothing to read.
pub(super) fn number(params: &Params<'_>, name: &str) -> Result<Option<i64>, ServiceError> {
    match params.get(name) {
        None => Ok(None),
        Some("") => Err(ServiceError::new(
            "MalformedInput",
            400,
            "missing value for decimal type",
        )),
        Some(text) => {
            match text.parse::<i32>() {
                Ok(number) => Ok(Some(number.into())),
                Err(_) => Err(ServiceError::new("MalformedInput", 400, "")
                    .because(format!("{name} is `{text}`"))),
            }
        }
    }
}

pub(super) fn duration(seconds: Option<i64>) -> Option<Duration> {
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs)
}

pub(super) fn list(params: &Params<'_>, name: &str) -> Vec<String> {
    params.list(name).into_iter().map(str::to_owned).collect()
}

/// `PolicyArns.member.1.arn`.
pub(super) fn policy_arns(params: &Params<'_>) -> Vec<String> {
    params
        .structures("PolicyArns")
        .iter()
        .filter_map(|member| member.owned("arn"))
        .collect()
}

/// `Tags.member.1.Key` and `….Value`. A member without one of them breaks the model.
pub(super) fn tags(params: &Params<'_>) -> Result<Vec<Tag>, ServiceError> {
    let members = params.structures("Tags");
    let tags = members.iter().enumerate().map(|(n, member)| {
        let missing = |field: &str| {
            let message = format!(
                "1 validation error detected: Value null at 'tags.{}.member.{field}' failed to satisfy constraint: Member \
                 must not be null",
                n + 1
            );
            ServiceError::new("ValidationError", 400, message)
        };
        Ok((
            member.owned("Key").ok_or_else(|| missing("key"))?,
            member.owned("Value").ok_or_else(|| missing("value"))?,
        ))
    });
    tags.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_sts_reads_them() {
        let read = |text: &str| {
            number(
                &Params::parse(format!("DurationSeconds={text}").as_bytes()),
                "DurationSeconds",
            )
        };
        assert_eq!(read("%2B900").unwrap(), Some(900));
        assert_eq!(read("0900").unwrap(), Some(900));
        assert_eq!(read("-1").unwrap(), Some(-1));
        for text in ["abc", "900.0", "2147483648", "%20900"] {
            let error = read(text).unwrap_err();
            assert_eq!(
                (&*error.code, &*error.message),
                ("MalformedInput", ""),
                "{text}"
            );
        }
        assert_eq!(
            read("").unwrap_err().message,
            "missing value for decimal type"
        );
    }
}
