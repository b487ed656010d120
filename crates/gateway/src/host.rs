//! What the `Host` header tells, when clients use real names: service, region, bucket. Never the only signal.

use http::request::Parts;

use crate::services::Service;

/// What a host name says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host<'h> {
    /// The service whose endpoint it is.
    pub(crate) service: Option<Service>,
    /// The region in the name.
    pub(crate) region: Option<&'h str>,
    /// Whether it is the global endpoint, which takes us-east-1 alone.
    pub(crate) global: bool,
    /// The bucket in front of it.
    pub(crate) bucket: Option<&'h str>,
}

/// The host a request was sent to, as the client wrote it, port included.
pub(crate) fn of(parts: &Parts) -> &str {
    parts
        .headers
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default()
}

impl<'h> Host<'h> {
    /// Reads a host.
    pub(crate) fn read(host: &'h str) -> Self {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        for suffix in [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"] {
            if let Some(rest) = name.strip_suffix(suffix) {
                return Self::real(rest);
            }
        }
        for suffix in [".localhost", ".localhost.localstack.cloud"] {
            if let Some(rest) = name.strip_suffix(suffix) {
                return Self::local(rest);
            }
        }
        Self::default()
    }

    /// `sts.eu-west-1`, `bucket.s3.eu-west-1`, `bucket.s3`, `s3.dualstack.eu-west-1`, `s3-eu-west-1`.
    fn real(rest: &'h str) -> Self {
        let (mut head, mut region) = (rest, None);
        if let Some((before, last)) = rest.rsplit_once('.')
            && is_region(last)
        {
            (head, region) = (before, Some(last));
        }
        let head = head.strip_suffix(".dualstack").unwrap_or(head);
        let (bucket, endpoint) = match head.rsplit_once('.') {
            Some((bucket, endpoint)) => (Some(bucket), endpoint),
            None => (None, head),
        };
        let (service, region) = match endpoint.strip_prefix("s3-").filter(|r| is_region(r)) {
            Some(old_form) => (Some(Service::S3), Some(old_form)),
            None => (Service::from_signing_name(endpoint), region),
        };
        Self {
            service,
            region,
            global: region.is_none() && matches!(service, Some(Service::Sts | Service::Iam)),
            bucket: bucket.filter(|_| service == Some(Service::S3)),
        }
    }

    /// `s3`, `bucket.s3`, `bucket`, `sts`.
    fn local(rest: &'h str) -> Self {
        if let Some(service) = Service::from_signing_name(rest) {
            return Self {
                service: Some(service),
                ..Self::default()
            };
        }
        let rest = rest
            .rsplit_once('.')
            .filter(|(_, last)| is_region(last))
            .map_or(rest, |(r, _)| r);
        match rest.strip_suffix(".s3") {
            Some(bucket) => Self {
                service: Some(Service::S3),
                bucket: Some(bucket),
                ..Self::default()
            },
            None if rest == "s3" => Self {
                service: Some(Service::S3),
                ..Self::default()
            },
            None => Self {
                bucket: Some(rest),
                ..Self::default()
            },
        }
    }
}

/// Whether a text has the form of a region's name: `eu-west-1`, `us-gov-east-1`.
pub(crate) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else {
        return false;
    };
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase());
    let mut middle = parts.peekable();
    (2..=5).contains(&first.len())
        && word(first)
        && middle.peek().is_some()
        && middle.all(word)
        && (1..=2).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_real_and_local_names() {
        let sts = Host::read("sts.eu-west-1.amazonaws.com:443");
        assert_eq!(
            (sts.service, sts.region),
            (Some(Service::Sts), Some("eu-west-1"))
        );
        assert!(Host::read("sts.amazonaws.com").global);
        let auth = Host::read("eks-auth.us-west-2.api.aws");
        assert_eq!(
            (auth.service, auth.region),
            (Some(Service::EksAuth), Some("us-west-2"))
        );
        for host in [
            "my.bucket.s3.eu-west-1.amazonaws.com",
            "my.bucket.s3.amazonaws.com",
            "my.bucket.s3-eu-west-1.amazonaws.com",
            "my.bucket.s3.dualstack.eu-west-1.amazonaws.com",
            "my.bucket.localhost:4566",
            "my.bucket.s3.localhost:4566",
            "my.bucket.s3.us-east-1.localhost.localstack.cloud:4566",
        ] {
            assert_eq!(Host::read(host).bucket, Some("my.bucket"), "{host}");
        }
        for host in [
            "127.0.0.1:4566",
            "localhost:4566",
            "[::1]:4566",
            "",
            "s3.localhost",
        ] {
            assert_eq!(Host::read(host).bucket, None, "{host}");
        }
    }

    #[test]
    fn regions() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "ap-southeast-10",
            "eusc-de-east-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "us-east",
            "us-1",
            "US-EAST-1",
            "us-east-1a",
            "aws-global",
            "us--1",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }
}
