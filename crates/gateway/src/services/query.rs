//! The awsQuery protocol of STS and IAM: parameters in a form, answers in XML.

use std::{borrow::Cow, fmt::Display};

use bytes::Bytes;
use emu_cloud::ServiceError;
use http::{Method, Request, Response, header};
use url::form_urlencoded;

use super::ApiRecord;

/// What is particular to one query service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The XML namespace of its answers.
    pub namespace: &'static str,
    /// The version its requests name.
    pub version: &'static str,
}

/// The namespace of errors that are found before a service's own model is looked at. Source: snapshots.
pub const FAULT_NAMESPACE: &str = "http://webservices.amazon.com/AWSFault/2005-15-09";

/// The parameters of a request, in wire order. Of equal names the first counts (snapshots).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params<'r>(Vec<(Cow<'r, str>, Cow<'r, str>)>);

impl<'r> Params<'r> {
    /// Reads the body of a POST, or the query of anything else.
    pub fn of(request: &'r Request<Bytes>) -> Self {
        if request.method() == Method::POST {
            Self::parse(request.body())
        } else {
            Self::parse(request.uri().query().unwrap_or_default().as_bytes())
        }
    }

    /// Reads form text. What is not UTF-8 becomes U+FFFD.
    pub fn parse(form: &'r [u8]) -> Self {
        Self(form_urlencoded::parse(form).collect())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter, owned.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Whether a parameter, or a member below it, was sent at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| below(n, name).is_some())
    }

    /// A list of scalars, `Name.member.1`, `Name.member.2`, ordered by index; gaps are tolerated.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<(u32, &str)> = Vec::new();
        for (full, value) in &self.0 {
            if let Some((index, "")) = member(full, name)
                && !found.iter().any(|(i, _)| *i == index)
            {
                found.push((index, value));
            }
        }
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// A list of structures, `Name.member.1.Field`, ordered by index; each with its own parameters.
    pub fn structures(&self, name: &str) -> Vec<Params<'_>> {
        let mut found: Vec<(u32, Params<'_>)> = Vec::new();
        for (full, value) in &self.0 {
            let Some((index, field)) = member(full, name) else {
                continue;
            };
            let pair = (Cow::Borrowed(field), Cow::Borrowed(value.as_ref()));
            match found.iter_mut().find(|(i, _)| *i == index) {
                Some((_, params)) => params.0.push(pair),
                None => found.push((index, Params(vec![pair]))),
            }
        }
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(_, params)| params).collect()
    }

    /// All parameters in wire order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_ref(), v.as_ref()))
    }
}

/// What follows `name` in `full`: `Some("")` if they are equal, `Some("member.1")` below it.
fn below<'a>(full: &'a str, name: &str) -> Option<&'a str> {
    let rest = full.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('.')
}

/// Splits `Name.member.3.Field` into the index and `Field`.
fn member<'a>(full: &'a str, name: &str) -> Option<(u32, &'a str)> {
    let rest = below(full, name)?;
    let rest = rest.strip_prefix("member.")?;
    let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
    Some((index.parse().ok()?, field))
}

/// Writes XML as STS does: two spaces of indentation, a line feed after every element (snapshots).
#[derive(Debug, Default)]
pub struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    /// `<name>value</name>`; `<name/>` is never written for an empty text.
    pub fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        use std::fmt::Write as _;
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        let start = self.out.len();
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
        if self.out[start..].contains(['&', '<', '>', '"', '\r', '\t', '\n']) {
            let escaped = escape(&self.out[start..]);
            self.out.truncate(start);
            self.out.push_str(&escaped);
        }
        self.close(name)
    }

    /// As [`Xml::text`], if there is a value.
    pub fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// `<name>` with whatever `content` writes in it; `<name/>` if that is nothing.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.element_with(name, "", content)
    }

    /// A list: `<name><member>…</member></name>`, each member written by `each`; `<name/>` if it is empty.
    pub fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.element("member", |xml| each(xml, item));
            }
        })
    }

    /// A list of scalars: `<name><member>text</member></name>`.
    pub fn texts<T: Display>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.text("member", item);
            }
        })
    }

    fn element_with(
        &mut self,
        name: &str,
        attributes: &str,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(attributes);
        let open = self.out.len();
        self.out.push_str(">\n");
        let start = self.out.len();
        self.depth += 1;
        content(self);
        self.depth -= 1;
        if self.out.len() == start {
            self.out.truncate(open);
            self.out.push_str("/>\n");
            return self;
        }
        self.indent();
        self.close(name)
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
        self
    }

    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    /// The text written.
    pub fn finish(self) -> String {
        self.out
    }
}

/// Escapes text for an element's content.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            // Neither may stand in XML 1.0 at all.
            '\u{0}'..='\u{8}'
            | '\u{b}'
            | '\u{c}'
            | '\u{e}'..='\u{1f}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

/// An answer with a result: `<ActionResponse><ActionResult>…`.
pub fn result(
    frame: Frame,
    action: &str,
    request_id: &str,
    content: impl FnOnce(&mut Xml),
) -> Response<Bytes> {
    respond(frame, action, request_id, |xml| {
        xml.element(&format!("{action}Result"), content);
    })
}

/// An answer of a call without a result: only the metadata.
pub fn empty(frame: Frame, action: &str, request_id: &str) -> Response<Bytes> {
    respond(frame, action, request_id, |_| {})
}

fn respond(
    frame: Frame,
    action: &str,
    request_id: &str,
    content: impl FnOnce(&mut Xml),
) -> Response<Bytes> {
    let mut xml = Xml::default();
    let attributes = format!(" xmlns=\"{}\"", frame.namespace);
    xml.element_with(&format!("{action}Response"), &attributes, |xml| {
        content(xml);
        xml.element("ResponseMetadata", |xml| {
            xml.text("RequestId", request_id);
        });
    });
    response(200, request_id, xml.finish())
}

/// An error of the service's own, in its namespace.
pub fn error(frame: Frame, error: &ServiceError, request_id: &str) -> Response<Bytes> {
    error_in(frame.namespace, error, request_id)
}

/// An error found before the service's model is looked at (`InvalidAction`).
pub fn fault(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    error_in(FAULT_NAMESPACE, error, request_id)
}

fn error_in(namespace: &str, error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let mut xml = Xml::default();
    let kind = if error.status >= 500 {
        "Receiver"
    } else {
        "Sender"
    };
    xml.element_with("ErrorResponse", &format!(" xmlns=\"{namespace}\""), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", kind).text("Code", &error.code);
            if !error.message.is_empty() {
                xml.text("Message", &error.message);
            }
            for (name, value) in &error.members {
                match value.as_str() {
                    Some(text) => xml.text(name, text),
                    None => xml.text(name, value),
                };
            }
        });
        xml.text("RequestId", request_id);
    });
    let mut response = response(error.status, request_id, xml.finish());
    response.extensions_mut().insert(ApiRecord::failed(error));
    response
}

/// An answer with the headers every query answer has.
pub fn response(status: u16, request_id: &str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/xml"),
    );
    if let Ok(id) = header::HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
        version: "2011-06-15",
    };

    #[test]
    fn the_first_of_equal_names_counts_and_lists_are_ordered() {
        let params = Params::parse(
            b"A=1&A=2&L.member.2=b&L.member.10=c&L.member.1=a+b%2F&Tags.member.1.Value=v&Tags.member.1.Key=k&Lx=3",
        );
        assert_eq!(params.get("A"), Some("1"));
        assert_eq!(params.list("L"), ["a b/", "b", "c"]);
        assert!(params.has("Tags") && !params.has("Tag"));
        let tags = params.structures("Tags");
        assert_eq!(tags.len(), 1);
        assert_eq!(
            (tags[0].get("Key"), tags[0].get("Value")),
            (Some("k"), Some("v"))
        );
    }

    #[test]
    fn an_answer_has_the_bytes_of_sts() {
        let response = result(FRAME, "GetCallerIdentity", "id-1", |xml| {
            xml.text("Arn", "arn:aws:iam::1:root")
                .text("UserId", "a<b")
                .texts("L", [""; 0]);
        });
        assert_eq!(
            std::str::from_utf8(response.body()).unwrap(),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
             <GetCallerIdentityResult>\n    <Arn>arn:aws:iam::1:root</Arn>\n    <UserId>a&lt;b</UserId>\n    <L/>\n  \
             </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>id-1</RequestId>\n  </ResponseMetadata>\n\
             </GetCallerIdentityResponse>\n"
        );
        assert_eq!(response.headers()["content-type"], "text/xml");
    }

    #[test]
    fn an_error_without_a_message_has_no_message_element() {
        let response = error(FRAME, &ServiceError::new("MalformedInput", 400, ""), "id");
        let body = std::str::from_utf8(response.body()).unwrap();
        assert!(
            body.contains("<Code>MalformedInput</Code>\n  </Error>"),
            "{body}"
        );
        assert!(response.extensions().get::<ApiRecord>().is_some());
    }
}
