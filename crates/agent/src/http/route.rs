//! Go's `ServeMux` with plain patterns: exact paths, cleaned by a redirect.

use super::{Payload, Request, Response, target};

/// Where a request goes.
pub(super) enum Route {
    /// To the handler with that index.
    Handler(usize),
    /// Nowhere: this is the answer.
    Answer(Response),
}

/// The paths served.
#[derive(Clone, Debug)]
pub(crate) struct Routes(pub(crate) &'static [&'static str]);

impl Routes {
    pub(super) fn find(&self, request: &Request<'_>) -> Route {
        if request.target.star {
            let options = request.method == "OPTIONS";
            let mut answer = Response::empty(if options { 200 } else { 400 });
            answer.says_empty = options;
            answer.close = !options && request.at_least_11();
            return Route::Answer(answer);
        }
        let path = &request.target.path[..];
        if let Some(index) = self.exact(path) {
            return Route::Handler(index);
        }
        if request.method == "CONNECT" {
            return self
                .segments(path)
                .map_or_else(|| Route::Answer(Response::not_found()), Route::Handler);
        }
        let cleaned = clean(path);
        if cleaned != path {
            return Route::Answer(redirect(request, &cleaned));
        }
        self.segments(path)
            .map_or_else(|| Route::Answer(Response::not_found()), Route::Handler)
    }

    fn exact(&self, path: &[u8]) -> Option<usize> {
        self.0.iter().position(|pattern| pattern.as_bytes() == path)
    }

    /// Matches segment by segment, each of them decoded.
    fn segments(&self, path: &[u8]) -> Option<usize> {
        if !path.contains(&b'%') {
            return self.exact(path);
        }
        let decoded: Vec<Vec<u8>> = path
            .split(|&c| c == b'/')
            .map(|segment| target::unescape(segment).unwrap_or_else(|| segment.to_vec()))
            .collect();
        self.0.iter().position(|pattern| {
            let mut wanted = pattern.as_bytes().split(|&c| c == b'/');
            decoded.iter().all(|segment| wanted.next() == Some(segment)) && wanted.next().is_none()
        })
    }
}

/// Go's `path.Clean`, with the trailing slash kept.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&c| c == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let mut out = vec![b'/'];
    out.extend_from_slice(&kept.join(&b'/'));
    if path.last() == Some(&b'/') && out.len() > 1 {
        out.push(b'/');
    }
    out
}

fn redirect(request: &Request<'_>, cleaned: &[u8]) -> Response {
    // Go takes the encoded path for a plain one here and encodes it again.
    let mut location = target::escape_path(cleaned).into_bytes();
    if !request.target.query.is_empty() {
        location.push(b'?');
        location.extend_from_slice(&request.target.query);
    }
    let mut response = Response::empty(307);
    if matches!(request.method, "GET" | "HEAD") {
        response.content_type = Some("text/html; charset=utf-8");
    }
    if request.method == "GET" {
        let mut body = b"<a href=\"".to_vec();
        for &c in &location {
            match c {
                b'&' => body.extend_from_slice(b"&amp;"),
                b'<' => body.extend_from_slice(b"&lt;"),
                b'>' => body.extend_from_slice(b"&gt;"),
                b'"' => body.extend_from_slice(b"&#34;"),
                b'\'' => body.extend_from_slice(b"&#39;"),
                _ => body.push(c),
            }
        }
        body.extend_from_slice(b"\">Temporary Redirect</a>.\n\n");
        response.body = Payload::Owned(body);
    }
    let mut header = String::with_capacity(location.len());
    for &c in &location {
        if c.is_ascii() {
            header.push(char::from(c));
        } else {
            header.push_str(&format!("%{c:x}"));
        }
    }
    response.location = Some(header);
    response
}

#[cfg(test)]
mod tests {
    use super::{super::request::parse, *};

    const ROUTES: Routes = Routes(&["/v1/credentials"]);

    fn find(line: &str) -> String {
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        match ROUTES.find(&parse(head.as_bytes()).unwrap()) {
            Route::Handler(index) => format!("handler {index}"),
            Route::Answer(answer) => {
                format!("{} {}", answer.status, answer.location.unwrap_or_default())
            }
        }
    }

    #[test]
    fn as_go_routes() {
        for (line, expected) in [
            ("GET /v1/credentials", "handler 0"),
            ("POST /v1/credentials?x=1", "handler 0"),
            ("GET /v1/%63redentials", "handler 0"),
            ("GET /v1%2Fcredentials", "404 "),
            ("GET /v1/credentials/", "404 "),
            ("GET //v1/credentials?a=<", "307 /v1/credentials?a=<"),
            ("GET /v1/../v1/./credentials", "307 /v1/credentials"),
            ("GET /x//%41/", "307 /x/%2541/"),
            ("GET /..", "307 /"),
            ("GET http://other/v1/credentials", "handler 0"),
            ("GET http://other", "307 /"),
            ("OPTIONS *", "200 "),
            ("GET *", "400 "),
        ] {
            assert_eq!(find(line), expected, "{line}");
        }
    }
}
