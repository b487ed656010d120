//! What a request must be before the cache is asked: the host, then the token, then its times.

use emu_core::Timestamp;

use crate::{
    jwt::{self, Parts, Times},
    texts,
};

/// The two addresses a pod may have called.
const HOSTS: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

/// A status and a text.
pub(crate) type Refusal = (u16, String);

/// The host must be one of the two addresses, with or without a port. Plain text comparison.
pub(crate) fn host(host: &str) -> Result<(), Refusal> {
    let mut bare = split_port(host).unwrap_or(host);
    if let Some(inner) = bare
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        bare = inner;
    }
    if HOSTS.contains(&bare) {
        return Ok(());
    }
    Err((403, texts::wrong_host(bare)))
}

/// Go's `net.SplitHostPort`: the host, if there is a port.
fn split_port(text: &str) -> Option<&str> {
    let colon = text.rfind(':')?;
    let host = if text.starts_with('[') {
        let end = text.find(']')?;
        if end + 1 != colon {
            return None;
        }
        (&text[1..end], 1, end + 1)
    } else {
        if text[..colon].contains(':') {
            return None;
        }
        (&text[..colon], 0, 0)
    };
    let (name, after_open, after_close) = host;
    let stray = text[after_open..].contains('[') || text[after_close..].contains(']');
    (!stray).then_some(name)
}

/// The token must be one, and hold now.
pub(crate) fn token(token: &[u8], now: Timestamp) -> Result<(Parts, Times), Refusal> {
    if token.is_empty() {
        return Err((400, texts::EMPTY_TOKEN.into()));
    }
    let (parts, times) =
        jwt::parse_registered(token).map_err(|reason| (400, texts::unparseable(&reason)))?;
    times
        .check(now)
        .map_err(|reason| (400, texts::failed_claims(reason)))?;
    Ok((parts, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_text() {
        for good in [
            "169.254.170.23",
            "169.254.170.23:9",
            "fd00:ec2::23",
            "[fd00:ec2::23]",
            "[fd00:ec2::23]:4213",
            "169.254.170.23:",
        ] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for (bad, shown) in [
            ("", ""),
            ("localhost:8080", "localhost"),
            ("FD00:EC2::23", "FD00:EC2::23"),
            ("127.0.0.1:24432", "127.0.0.1"),
            ("[]", ""),
            ("[", "["),
            ("[a]:b:c", "[a]:b:c"),
            ("a]:1", "a]:1"),
        ] {
            assert_eq!(host(bad).unwrap_err().1, texts::wrong_host(shown), "{bad}");
        }
    }
}
