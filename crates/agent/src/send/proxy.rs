//! `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as Go reads them.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Url;

/// The proxies of the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    no_proxy: String,
}

impl Proxies {
    pub(super) fn from_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let either = |upper: &str| {
            get(upper)
                .filter(|v| !v.is_empty())
                .or_else(|| get(&upper.to_lowercase()))
        };
        let url = |name| {
            let text = either(name).filter(|value| !value.is_empty())?;
            let parsed = Url::parse(&text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"));
            parsed.or_else(|| Url::parse(&format!("http://{text}")).ok())
        };
        // In a CGI program HTTP_PROXY may come from a request header.
        let cgi = get("REQUEST_METHOD").is_some_and(|value| !value.is_empty());
        Self {
            http: url("HTTP_PROXY").filter(|_| !cgi),
            https: url("HTTPS_PROXY"),
            no_proxy: either("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The proxy for a request, if it goes through one.
    pub(super) fn for_url(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" {
            &self.https
        } else {
            &self.http
        };
        proxy.as_ref().filter(|_| self.applies(url))
    }

    fn applies(&self, url: &Url) -> bool {
        let host = url
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase();
        let host = host.trim_end_matches('.');
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
            return false;
        }
        let port = url.port_or_known_default().unwrap_or(80);
        !self
            .no_proxy
            .split(',')
            .map(|entry| entry.trim().to_ascii_lowercase())
            .any(|entry| {
                if entry == "*" {
                    return true;
                }
                if entry.is_empty() {
                    return false;
                }
                if let Some(address) = address
                    && let Some((network, bits)) = entry.split_once('/')
                {
                    return in_network(address, network, bits);
                }
                let (name, wanted) = match entry.rsplit_once(':') {
                    Some((name, digits)) if !name.contains(':') => (name, Some(digits)),
                    _ => (&*entry, None),
                };
                if wanted.is_some_and(|wanted| wanted != port.to_string()) {
                    return false;
                }
                if let Ok(listed) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
                    return address == Some(listed);
                }
                let name = name.strip_prefix('*').unwrap_or(name);
                match name.strip_prefix('.') {
                    Some(_) => host.ends_with(name),
                    None => {
                        host == name
                            || host
                                .strip_suffix(name)
                                .is_some_and(|rest| rest.ends_with('.'))
                    }
                }
            })
    }
}

fn in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(a) & mask == u32::from(n) & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(a) & mask == u128::from(n) & mask
        }
        _ => false,
    }
}

/// The `Proxy-Authorization` value for a proxy's URL that carries a user.
pub(super) fn authorization(proxy: &Url) -> Option<String> {
    if proxy.username().is_empty() {
        return None;
    }
    let pair = format!(
        "{}:{}",
        proxy.username(),
        proxy.password().unwrap_or_default()
    );
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_honoured() {
        let proxies = Proxies::from_environment(|name| match name {
            "HTTP_PROXY" => Some("proxy:3128".into()),
            "no_proxy" => Some("example.com, .inner.test,10.0.0.0/8,fake:81".into()),
            _ => None,
        });
        let goes = |url: &str| proxies.for_url(&Url::parse(url).unwrap()).is_some();
        assert!(
            goes("http://other.test/") && goes("http://169.254.170.23/") && goes("http://fake/")
        );
        for url in [
            "http://localhost/",
            "http://127.0.0.1:1/",
            "http://example.com/",
            "http://a.example.com/",
            "http://x.inner.test/",
            "http://10.1.2.3/",
            "http://fake:81/",
            "https://other.test/",
        ] {
            assert!(!goes(url), "{url}");
        }
        assert!(goes("http://inner.test/"));
    }
}
