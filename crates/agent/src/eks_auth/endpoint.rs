//! Where EKS Auth is.

/// Where EKS Auth is, as the agent was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By `--endpoint`. Switches off the audience check of profile 0.2.
    Flag(String),
    /// By `AWS_ENDPOINT_URL_EKS_AUTH` or `AWS_ENDPOINT_URL`.
    Environment(String),
    /// By a variable, though FIPS is asked for, too: the SDK refuses.
    Contradictory,
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
        let fips = set("AWS_USE_FIPS_ENDPOINT").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        match set("AWS_ENDPOINT_URL_EKS_AUTH").or_else(|| set("AWS_ENDPOINT_URL")) {
            Some(_) if !ignored && fips => Self::Contradictory,
            Some(url) if !ignored => Self::Environment(url),
            _ => Self::Default { fips },
        }
    }

    /// The base URL.
    ///
    /// # Errors
    /// The SDK's words.
    pub(super) fn resolve(&self, region: &str) -> Result<String, String> {
        match self {
            Self::Flag(url) | Self::Environment(url) => Ok(url.clone()),
            Self::Contradictory => Err("failed to resolve service endpoint, endpoint rule error, \
                 Invalid Configuration: FIPS and custom endpoint are not supported"
                .into()),
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

/// Where requests go, or why none can be sent: a base without a host parses in Go, and fails when it is used.
pub(super) type Target = Result<url::Url, &'static str>;

/// Parses a base URL as Go does.
///
/// # Errors
/// Go's words.
pub(super) fn parse(base: &str) -> Result<Target, String> {
    const UNSUPPORTED: &str = "unsupported protocol scheme";
    match url::Url::parse(base) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Ok(url)),
        Ok(_) => Ok(Err(UNSUPPORTED)),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let segment = base.split('/').next().unwrap_or_default();
            if base.starts_with(':') {
                Err("missing protocol scheme".into())
            } else if segment.contains(':') {
                Err("first path segment in URL cannot contain colon".into())
            } else {
                Ok(Err(UNSUPPORTED))
            }
        }
        Err(url::ParseError::InvalidPort) => {
            let port = base
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .split('/')
                .next()
                .unwrap_or_default();
            if port.bytes().all(|c| c.is_ascii_digit()) {
                Ok(Err("invalid port"))
            } else {
                Err(format!("invalid port \":{port}\" after host"))
            }
        }
        Err(e) => Err(e.to_string()),
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
    fn bases_are_parsed_as_go_does() {
        assert!(
            parse("http://a_b:1/x").unwrap().is_ok() && parse("http://[::1]:80").unwrap().is_ok()
        );
        for unusable in ["localhost", "ftp://h", "localhost:80", "http://h:99999", ""] {
            assert!(parse(unusable).unwrap().is_err(), "{unusable}");
        }
        assert_eq!(
            parse("127.0.0.1:80").unwrap_err(),
            "first path segment in URL cannot contain colon"
        );
        assert_eq!(
            parse("http://h:x/").unwrap_err(),
            "invalid port \":x\" after host"
        );
    }

    #[test]
    fn paths_join() {
        assert_eq!(join_path("/base/", "/clusters/x"), "/base/clusters/x");
        assert_eq!(join_path("", "/clusters/x"), "/clusters/x");
        assert_eq!(escape_label("a b/ü"), "a%20b%2F%C3%BC");
    }
}
