//! What the SDK makes of an answer.

use crate::go::json::{self, DecodeError, Value, folds_to};

/// An error that the SDK recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Its code: the modelled name, or whatever was sent.
    pub(crate) code: String,
    pub(crate) message: String,
    /// `client`, `server` or `unknown`.
    pub(crate) fault: &'static str,
    /// Whether it is one of the model's.
    pub(crate) modelled: bool,
}

impl ApiError {
    /// The errors after which the agent does not renew any more.
    pub(crate) fn is_irrecoverable(&self) -> bool {
        self.modelled
            && matches!(
                self.code.as_str(),
                "AccessDeniedException"
                    | "ExpiredTokenException"
                    | "InvalidTokenException"
                    | "ResourceNotFoundException"
            )
    }

    /// As Go prints the error.
    pub(crate) fn text(&self) -> String {
        if self.modelled {
            format!("{}: {}", self.code, self.message)
        } else {
            format!("api error {}: {}", self.code, self.message)
        }
    }
}

/// The errors of the service's model and whose fault they are.
const MODELLED: [(&str, &str); 9] = [
    ("AccessDeniedException", "client"),
    ("ExpiredTokenException", "client"),
    ("InternalServerException", "server"),
    ("InvalidParameterException", "client"),
    ("InvalidRequestException", "client"),
    ("InvalidTokenException", "client"),
    ("ResourceNotFoundException", "client"),
    ("ServiceUnavailableException", "server"),
    ("ThrottlingException", "client"),
];

/// The members of a successful answer, each of which may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fetched {
    pub(crate) audience: Option<String>,
    pub(crate) has_subject: bool,
    pub(crate) assumed_role: Option<AssumedRole>,
    /// The association's id; the outer option is the association.
    pub(crate) association_id: Option<Option<String>>,
    pub(crate) credentials: Option<RawCredentials>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AssumedRole {
    pub(crate) arn: Option<String>,
    pub(crate) id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RawCredentials {
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<String>,
    pub(crate) session_token: Option<String>,
    /// Nanoseconds since 1970.
    pub(crate) expiration: Option<i128>,
}

/// Reads an error reply. The outer error is what could not be decoded.
pub(super) fn error(header_code: Option<&str>, body: &[u8]) -> Result<ApiError, String> {
    let bad =
        |e: DecodeError| format!("deserialization failed, failed to decode response body, {e}");
    let header_code = header_code.filter(|code| !code.is_empty());
    let shape = match json::decode_first(body) {
        Ok(shape) => Some(shape),
        Err(DecodeError::Eof) => None,
        Err(e) => return Err(bad(e)),
    };
    let info = shape
        .as_ref()
        .map_or(Ok(Info::default()), Info::read)
        .map_err(|e| bad(DecodeError::Bad(e)))?;
    let code = match header_code {
        Some(code) => sanitize(code),
        None => info
            .kind
            .as_deref()
            .map(sanitize)
            .filter(|code| !code.is_empty())
            .unwrap_or("UnknownError"),
    };
    if let Some((name, fault)) = MODELLED.iter().find(|(name, _)| equal_fold(name, code)) {
        let message = shape
            .as_ref()
            .map_or(Ok(None), message_of)
            .map_err(|e| bad(DecodeError::Bad(e)))?;
        return Ok(ApiError {
            code: (*name).into(),
            message: message.unwrap_or_default(),
            fault,
            modelled: true,
        });
    }
    Ok(ApiError {
        code: code.into(),
        message: info.message.unwrap_or_else(|| "UnknownError".into()),
        fault: "unknown",
        modelled: false,
    })
}

fn equal_fold(name: &str, code: &str) -> bool {
    folds_to(code, &name.to_ascii_lowercase())
}

/// What stands before the first colon, and of that what stands behind the first hash.
fn sanitize(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.split_once('#').map_or(code, |(_, name)| name)
}

/// The members any error may have, read into a Go struct: names fold, types must fit.
#[derive(Default)]
struct Info {
    kind: Option<String>,
    message: Option<String>,
}

impl Info {
    fn read(shape: &Value<'_>) -> Result<Self, String> {
        let members = match shape {
            Value::Object(members, _) => members,
            Value::Null => return Ok(Self::default()),
            other => {
                return Err(format!(
                    "json: cannot unmarshal {} into Go value of type struct {{ Code string; Type string \"json:\\\"__type\\\"\"; Message string }}",
                    other.kind()
                ));
            }
        };
        let (mut code, mut kind, mut message) = (None, None, None);
        for (name, value) in members {
            let (slot, field) = if folds_to(name, "code") {
                (&mut code, "Code")
            } else if folds_to(name, "__type") {
                (&mut kind, "__type")
            } else if folds_to(name, "message") {
                (&mut message, "Message")
            } else {
                continue;
            };
            match value {
                Value::String(text, _) => *slot = Some(text.clone()),
                Value::Null => {}
                other => {
                    return Err(format!(
                        "json: cannot unmarshal {} into Go struct field .{field} of type string",
                        other.kind()
                    ));
                }
            }
        }
        let full = |text: &String| !text.is_empty();
        Ok(Self {
            kind: code.filter(full).or(kind.filter(full)),
            message: message.filter(full),
        })
    }
}

/// The message of a modelled error.
fn message_of(shape: &Value<'_>) -> Result<Option<String>, String> {
    let Value::Object(members, _) = shape else {
        return Ok(None);
    };
    let mut message = None;
    for (name, value) in members {
        if name == "message" || name == "Message" {
            set_string(&mut message, value)?;
        }
    }
    Ok(message)
}

fn go_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(..) => "string",
        Value::Array(..) => "[]interface {}",
        Value::Object(..) => "map[string]interface {}",
    }
}

fn set_string(slot: &mut Option<String>, value: &Value<'_>) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::String(text, _) => {
            *slot = Some(text.clone());
            Ok(())
        }
        other => Err(format!(
            "expected String to be of type string, got {} instead",
            go_type(other)
        )),
    }
}

/// The members of an object as a Go map has them: the last of a name wins.
fn members<'v, 'a>(value: &'v Value<'a>) -> Result<Option<Vec<(&'v str, &'v Value<'a>)>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members, _) => {
            let last =
                |at: usize, name: &str| !members[at + 1..].iter().any(|(other, _)| other == name);
            let kept = members
                .iter()
                .enumerate()
                .filter(|(at, (name, _))| last(*at, name));
            Ok(Some(
                kept.map(|(_, (name, value))| (name.as_str(), value))
                    .collect(),
            ))
        }
        other => Err(format!("unexpected JSON type {}", go_type(other))),
    }
}

/// Reads a successful reply.
pub(super) fn success(body: &[u8]) -> Result<Fetched, String> {
    let shape = match json::decode_first(body) {
        Ok(shape) => shape,
        Err(DecodeError::Eof) => return Ok(Fetched::default()),
        Err(e) => {
            return Err(format!(
                "deserialization failed, failed to decode response body, {e}"
            ));
        }
    };
    document(&shape).map_err(|e| {
        format!("deserialization failed, failed to decode response body with invalid JSON, {e}")
    })
}

fn document(shape: &Value<'_>) -> Result<Fetched, String> {
    let mut fetched = Fetched::default();
    for (name, value) in members(shape)?.unwrap_or_default() {
        match name {
            "assumedRoleUser" => fetched.assumed_role = assumed_role(value)?,
            "audience" => set_string(&mut fetched.audience, value)?,
            "credentials" => fetched.credentials = credentials(value)?,
            "podIdentityAssociation" => fetched.association_id = association(value)?,
            "subject" => fetched.has_subject = subject(value)?,
            _ => {}
        }
    }
    Ok(fetched)
}

fn assumed_role(value: &Value<'_>) -> Result<Option<AssumedRole>, String> {
    let Some(members) = members(value)? else {
        return Ok(None);
    };
    let mut role = AssumedRole::default();
    for (name, value) in members {
        match name {
            "arn" => set_string(&mut role.arn, value)?,
            "assumeRoleId" => set_string(&mut role.id, value)?,
            _ => {}
        }
    }
    Ok(Some(role))
}

fn association(value: &Value<'_>) -> Result<Option<Option<String>>, String> {
    let Some(members) = members(value)? else {
        return Ok(None);
    };
    let (mut id, mut arn) = (None, None);
    for (name, value) in members {
        match name {
            "associationArn" => set_string(&mut arn, value)?,
            "associationId" => set_string(&mut id, value)?,
            _ => {}
        }
    }
    Ok(Some(id))
}

fn subject(value: &Value<'_>) -> Result<bool, String> {
    let Some(members) = members(value)? else {
        return Ok(false);
    };
    let mut ignored = None;
    for (name, value) in members {
        if matches!(name, "namespace" | "serviceAccount") {
            set_string(&mut ignored, value)?;
        }
    }
    Ok(true)
}

fn credentials(value: &Value<'_>) -> Result<Option<RawCredentials>, String> {
    let Some(members) = members(value)? else {
        return Ok(None);
    };
    let mut raw = RawCredentials::default();
    for (name, value) in members {
        match name {
            "accessKeyId" => set_string(&mut raw.access_key_id, value)?,
            "secretAccessKey" => set_string(&mut raw.secret_access_key, value)?,
            "sessionToken" => set_string(&mut raw.session_token, value)?,
            "expiration" => match value {
                Value::Null => {}
                Value::Number(text) => raw.expiration = Some(epoch_seconds(text)?),
                other => {
                    return Err(format!(
                        "expected Timestamp to be a JSON Number, got {} instead",
                        go_type(other)
                    ));
                }
            },
            _ => {}
        }
    }
    Ok(Some(raw))
}

/// Epoch seconds, of which the SDK keeps whole milliseconds. Overflow wraps around, as in Go.
fn epoch_seconds(text: &str) -> Result<i128, String> {
    let float: f64 = text.parse().unwrap_or(f64::INFINITY);
    if float.is_infinite() {
        return Err(format!(
            "strconv.ParseFloat: parsing \"{text}\": value out of range"
        ));
    }
    Ok(i128::from(thousandfold(float).wrapping_mul(1_000_000)))
}

/// `float` times 1000, cut to a whole number. Go multiplies in 53 bits and rounds to nearest even, as a float does; what
/// does not fit saturates.
fn thousandfold(float: f64) -> i64 {
    (float * 1_000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_named_and_blamed() {
        let error = |header, body: &str| {
            error(header, body.as_bytes()).map(|e| (e.code, e.message, e.fault))
        };
        let full =
            |code: &str, message: &str, fault| Ok((code.to_string(), message.to_string(), fault));
        let header = Some("accessdeniedexception");
        assert_eq!(
            error(header, r#"{"message":"m"}"#),
            full("AccessDeniedException", "m", "client")
        );
        assert_eq!(
            error(header, ""),
            full("AccessDeniedException", "", "client")
        );
        assert_eq!(
            error(header, r#"{"MESSAGE":"m"}"#),
            full("AccessDeniedException", "", "client")
        );
        assert_eq!(
            error(Some("a#New:x"), r#"{"MESSAGE":"m"}"#),
            full("New", "m", "unknown")
        );
        assert_eq!(
            error(None, r#"{"__type":"a.b#ThrottlingException"}"#),
            full("ThrottlingException", "", "client")
        );
        assert_eq!(
            error(None, ""),
            full("UnknownError", "UnknownError", "unknown")
        );
        assert_eq!(
            error(None, "null"),
            full("UnknownError", "UnknownError", "unknown")
        );
        for body in ["<html>", "[]", r#"{"message":5}"#, r#"{"code":5}"#, "{"] {
            assert!(error(header, body).is_err(), "{body}");
        }
    }

    #[test]
    fn successes_may_lack_anything() {
        assert_eq!(success(b"").unwrap(), Fetched::default());
        assert_eq!(success(b"null").unwrap(), Fetched::default());
        assert!(success(b"[]").is_err() && success(b"<").is_err());
        let fetched = success(
            br#"{"credentials":{"expiration":1.5,"accessKeyId":"a"},"podIdentityAssociation":{}}x"#,
        )
        .unwrap();
        assert_eq!(fetched.association_id, Some(None));
        assert_eq!(fetched.credentials.unwrap().expiration, Some(1_500_000_000));
        assert!(success(br#"{"credentials":{"expiration":"1"}}"#).is_err());
        assert!(success(br#"{"subject":{"namespace":1}}"#).is_err());
    }
}
