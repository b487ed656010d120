//! Clients with a behaviour of their own.

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// A client in a pod. Without one, calls of a pod use a client that does everything as current SDKs do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Client {
    /// Its name.
    pub name: Located<String>,
    /// The pod it lives in.
    #[serde(rename = "in")]
    pub pod: Located<String>,
    /// How it behaves.
    pub model: ClientModel,
}

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClientModel {
    /// When it reads the token file.
    pub token_read: TokenRead,
    /// When it renews its credentials.
    pub credential_refresh: CredentialRefresh,
    /// How long it waits for the agent.
    pub timeout: Span,
    /// How often it asks the agent for one set of credentials at most. botocore: 3, on any failure (measured).
    pub attempts: u32,
    /// It knows `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    pub knows_token_file: bool,
    /// It knows `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub knows_uri: bool,
    /// It takes loopback hosts only, as SDKs did before November 2023.
    pub loopback_only: bool,
    /// It asks anew for every call.
    pub session_per_call: bool,
    /// It ends the token with a line feed, or puts `Bearer ` before it.
    pub token_prefix: String,
}

impl Default for ClientModel {
    fn default() -> Self {
        Self {
            token_read: TokenRead::Each,
            credential_refresh: CredentialRefresh::Before(Span::seconds(900)),
            timeout: Span::seconds(2),
            attempts: 3,
            knows_token_file: true,
            knows_uri: true,
            loopback_only: false,
            session_per_call: false,
            token_prefix: String::new(),
        }
    }
}

/// When a client reads the token file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRead {
    /// At every refresh.
    #[default]
    Each,
    /// Once, at start.
    Once,
}

/// When a client renews its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefresh {
    /// When they have expired.
    AtExpiry,
    /// This long before they expire.
    Before(Span),
    /// Never.
    Never,
}

impl<'de> Deserialize<'de> for CredentialRefresh {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "at-expiry" => Ok(Self::AtExpiry),
            "never" => Ok(Self::Never),
            span => span.parse().map(Self::Before).map_err(|_| {
                serde::de::Error::custom(format!(
                    "`{text}` is neither `at-expiry` nor `never` nor a duration such as 15m"
                ))
            }),
        }
    }
}

impl JsonSchema for CredentialRefresh {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CredentialRefresh".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "at-expiry, never, or how long before they expire, such as 15m."
        })
    }
}
