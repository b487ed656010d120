//! Where EKS Auth is.

/// Where EKS Auth is, as the agent was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By `--endpoint`. Switches off the audience check of profile 0.2.
    Flag(String),
    /// By `AWS_ENDPOINT_URL_EKS_AUTH` or `AWS_ENDPOINT_URL`.
    Environment(String),
    /// The region's own.
    Default {
        /// `AWS_USE_FIPS_ENDPOINT`.
        fips: bool,
    },
}

impl Endpoint {
    /// As Amazon's agent decides: the flag, then the service's variable, then the general one.
    pub fn from_environment(flag: &str, get: impl Fn(&str) -> Option<String>) -> Self {
        if !flag.is_empty() {
            return Self::Flag(flag.into());
        }
        let set = |name| get(name).filter(|value| !value.is_empty());
        let ignored = set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        match set("AWS_ENDPOINT_URL_EKS_AUTH").or_else(|| set("AWS_ENDPOINT_URL")) {
            Some(url) if !ignored => Self::Environment(url),
            _ => Self::Default {
                fips: set("AWS_USE_FIPS_ENDPOINT").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            },
        }
    }

    /// The base URL.
    ///
    /// # Errors
    /// The SDK's words.
    pub(super) fn resolve(&self, region: &str) -> Result<String, String> {
        match self {
            Self::Flag(url) | Self::Environment(url) => Ok(url.clone()),
            Self::Default { .. } if region.is_empty() => Err(
                "failed to resolve service endpoint, endpoint rule error, Invalid Configuration: Missing Region".into(),
            ),
            Self::Default { fips } => {
                let name = if *fips { "eks-auth-fips" } else { "eks-auth" };
                Ok(format!("https://{name}.{region}.{}", suffix(region)))
            }
        }
    }
}

/// The dual-stack suffix of the region's partition, or the plain one where there is none. Source: the SDK's partitions.
fn suffix(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "api.amazonwebservices.com.cn",
        _ if region.starts_with("us-gov-") => "api.aws",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ if region.starts_with("eusc-") => "api.amazonwebservices.eu",
        _ => "api.aws",
    }
}

/// The host part must look like one before anything is sent.
///
/// # Errors
/// smithy-go's words.
pub(super) fn validate_host(host: &str) -> Result<(), String> {
    let mut errors = String::new();
    let mut hostname = host;
    if host.contains(':') {
        let port = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains([':', '[', ']']) => {
                hostname = name;
                port
            }
            _ => {
                let inner = host
                    .strip_prefix('[')
                    .and_then(|rest| rest.split_once("]:"));
                match inner {
                    Some((name, port)) => {
                        hostname = name;
                        port
                    }
                    None => {
                        let reason = if host.starts_with('[') {
                            "missing port in address"
                        } else {
                            "too many colons in address"
                        };
                        errors += &format!(
                            "\n endpoint {host}, failed to parse, got address {host}: {reason}"
                        );
                        hostname = "";
                        ""
                    }
                }
            }
        };
        if port.parse::<u16>().is_err() {
            errors += &format!("port number should be in range [0-65535], got {port}");
        }
    }
    let labels: Vec<&str> = hostname.split('.').collect();
    for (at, label) in labels.iter().enumerate() {
        if at + 1 == labels.len() && label.is_empty() {
            continue;
        }
        let valid = (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-');
        if !valid {
            errors +=
                "\nendpoint host domain labels must match \"[a-zA-Z0-9-]{1,63}\", but found: ";
            errors += label;
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(format!("invalid endpoint host{errors}"))
    }
}

/// Everything but letters, digits and `-._~` is percent-encoded.
pub(super) fn escape_label(label: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(label.len());
    for &c in label.as_bytes() {
        if c.is_ascii_alphanumeric() || b"-._~".contains(&c) {
            out.push(char::from(c));
        } else {
            let _ = write!(out, "%{c:02X}");
        }
    }
    out
}

/// Two paths joined with one slash.
pub(super) fn join_path(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    format!(
        "{}{base}{path}",
        if base.is_empty() || base.starts_with('/') {
            ""
        } else {
            "/"
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins() {
        let env = |name: &str| match name {
            "AWS_ENDPOINT_URL_EKS_AUTH" => Some("http://one".into()),
            "AWS_ENDPOINT_URL" => Some("http://two".into()),
            _ => None,
        };
        assert_eq!(
            Endpoint::from_environment("http://f", env),
            Endpoint::Flag("http://f".into())
        );
        assert_eq!(
            Endpoint::from_environment("", env),
            Endpoint::Environment("http://one".into())
        );
        let default = Endpoint::from_environment("", |_| None);
        assert_eq!(
            default.resolve("eu-west-1").unwrap(),
            "https://eks-auth.eu-west-1.api.aws"
        );
        assert!(default.resolve("").is_err());
    }

    #[test]
    fn hosts_are_checked() {
        assert!(validate_host("127.0.0.1:8080").is_ok() && validate_host("a-b.c.").is_ok());
        assert_eq!(
            validate_host("a_b.c").unwrap_err(),
            "invalid endpoint host\nendpoint host domain labels must match \"[a-zA-Z0-9-]{1,63}\", but found: a_b"
        );
        assert!(validate_host("[::1]:80").is_err());
    }

    #[test]
    fn paths_join() {
        assert_eq!(join_path("/base/", "/clusters/x"), "/base/clusters/x");
        assert_eq!(join_path("", "/clusters/x"), "/clusters/x");
        assert_eq!(escape_label("a b/ü"), "a%20b%2F%C3%BC");
    }
}
