//! Amazon Resource Names, split but not judged.

use std::{fmt, str::FromStr};

/// An ARN in its six parts. The parts are kept as written; which values are sensible is the service's affair.
///
/// Source: AWS docs, "Identify AWS resources with ARNs".
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// `iam`, `sts`, `eks`, `s3`, ...
    pub service: String,
    /// Empty for global services.
    pub region: String,
    /// Twelve digits, or empty (S3), or `aws` (managed policies).
    pub account: String,
    /// Everything after the fifth colon, colons and slashes included.
    pub resource: String,
}

/// The text is not an ARN.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an ARN (arn:partition:service:region:account:resource)")]
pub struct ArnError(pub String);

impl Arn {
    /// Builds an ARN in the `aws` partition.
    pub fn new(service: &str, region: &str, account: &str, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".into(),
            service: service.into(),
            region: region.into(),
            account: account.into(),
            resource: resource.into(),
        }
    }

    /// `arn:aws:iam::<account>:role<path><name>`; `path` begins and ends with `/`.
    pub fn role(account: &str, path: &str, name: &str) -> Self {
        Self::new("iam", "", account, format!("role{path}{name}"))
    }

    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`; the role's path is dropped.
    pub fn assumed_role(account: &str, role: &str, session: &str) -> Self {
        Self::new("sts", "", account, format!("assumed-role/{role}/{session}"))
    }

    /// `arn:aws:eks:<region>:<account>:cluster/<name>`.
    pub fn cluster(region: &str, account: &str, name: &str) -> Self {
        Self::new("eks", region, account, format!("cluster/{name}"))
    }

    /// The last part of the resource, after the last slash: the role name of a role ARN with a path.
    pub fn name(&self) -> &str {
        self.resource.rsplit('/').next().unwrap_or(&self.resource)
    }

    /// The resource without its first word: `role/a/b` gives `("role", "a/b")`.
    pub fn kind_and_rest(&self) -> Option<(&str, &str)> {
        self.resource.split_once(['/', ':'])
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned);
        match (next(), next(), next(), next(), next(), next()) {
            (
                Some(prefix),
                Some(partition),
                Some(service),
                Some(region),
                Some(account),
                Some(resource),
            ) if prefix == "arn"
                && !partition.is_empty()
                && !service.is_empty()
                && !resource.is_empty() =>
            {
                Ok(Self {
                    partition,
                    service,
                    region,
                    account,
                    resource,
                })
            }
            _ => Err(ArnError(text.into())),
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:{}:{}:{}:{}",
            self.partition, self.service, self.region, self.account, self.resource
        )
    }
}

impl serde::Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Arn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for text in [
            "arn:aws:iam::111122223333:role/team/app",
            "arn:aws:s3:::bucket/key:with:colons",
            "arn:aws-cn:eks:cn-north-1:111122223333:podidentityassociation/c/a-1",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_an_arn() {
        for text in [
            "",
            "arn:aws:iam",
            "arn:aws:iam::1:",
            "role/app",
            "xrn:a:b:c:d:e",
        ] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_the_role_below_its_path() {
        assert_eq!(Arn::role("1", "/team/", "app").name(), "app");
    }
}
