//! Raw HTTP requests from within a pod.

use emu_core::{Event, journal::PodRef};

/// A request as it is written to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The method.
    pub method: String,
    /// Where to connect: `host:port` or `[v6]:port`. The node's agent if absent.
    pub target: Option<String>,
    /// The path, with its query.
    pub path: String,
    /// The headers, in order; written as they are.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait for the answer, in real time.
    pub timeout: std::time::Duration,
}

impl Default for FetchRequest {
    fn default() -> Self {
        Self {
            method: "GET".into(),
            target: None,
            path: "/v1/credentials".into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: std::time::Duration::from_secs(30),
        }
    }
}

impl FetchRequest {
    /// A GET for the agent's credentials without any header.
    pub fn credentials() -> Self {
        Self::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// What the journal says of it, where the agent that answered cannot tell itself.
    pub(crate) fn agent_request(&self, node: String, pod: PodRef, answer: &FetchResponse) -> Event {
        let header = |name: &str| {
            let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
            self.headers.iter().find(named).map(|(_, value)| value)
        };
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Event::AgentRequest {
            node,
            pod: Some(pod),
            request: format!("{} {}", self.method, self.path),
            host: header("host").map_or_else(|| "169.254.170.23".into(), Clone::clone),
            authorization: header("authorization").is_some(),
            user_agent: header("user-agent").cloned(),
            status: answer.status,
            error: (answer.status != 200).then(|| answer.text().trim_end().to_owned()),
            cached: false,
            access_key_id: body["AccessKeyId"].as_str().map(str::to_owned),
            upstream_request_id: None,
            millis: 0,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl FetchResponse {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}
