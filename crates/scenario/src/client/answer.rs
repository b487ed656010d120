//! What an API answered.

/// An answer, with its error if it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The error's name.
    pub code: Option<String>,
    /// The error's message.
    pub message: Option<String>,
    /// The body as text.
    pub body: String,
    /// The request's id.
    pub request_id: Option<String>,
}

impl ApiAnswer {
    /// Reads an answer: name and message of an error come from a header and JSON, or from XML.
    pub fn read(status: u16, header: impl Fn(&str) -> Option<String>, body: String) -> Self {
        let request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
        let (mut code, mut message) = (None, None);
        if status >= 400 {
            if let Some(name) = header("x-amzn-errortype") {
                code = Some(name.split(':').next().unwrap_or_default().to_owned());
                message = serde_json::from_str::<serde_json::Value>(&body)
                    .ok()
                    .and_then(|v| {
                        v["message"]
                            .as_str()
                            .or(v["Message"].as_str())
                            .map(str::to_owned)
                    });
            } else {
                code = element(&body, "Code");
                message = element(&body, "Message");
            }
        }
        Self {
            status,
            code,
            message,
            body,
            request_id,
        }
    }

    /// Whether it is a success.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn element(body: &str, name: &str) -> Option<String> {
    let start = body.find(&format!("<{name}>"))? + name.len() + 2;
    let end = body[start..].find(&format!("</{name}>"))? + start;
    quick_xml::escape::unescape(&body[start..end])
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols() {
        let json = ApiAnswer::read(
            404,
            |name| {
                (name == "x-amzn-errortype").then(|| "ResourceNotFoundException:http://x".into())
            },
            r#"{"message":"no"}"#.into(),
        );
        assert_eq!(json.code.as_deref(), Some("ResourceNotFoundException"));
        assert_eq!(json.message.as_deref(), Some("no"));
        let xml = ApiAnswer::read(
            403,
            |_| None,
            "<Error><Code>AccessDenied</Code><Message>a &quot;b&quot;</Message></Error>".into(),
        );
        assert_eq!(xml.message.as_deref(), Some("a \"b\""));
    }
}
