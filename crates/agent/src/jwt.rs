//! Tokens as golang-jwt 5 parses them without verifying: the same order, the same words.

use emu_core::Timestamp;

use crate::go::{
    base64,
    json::{self, Value, folds_to},
    quote_bytes,
};

/// From the year 1, where Go counts from, to 1970.
const UNIX_TO_INTERNAL: i64 = 62_135_596_800;

/// The algorithms golang-jwt registers, `none` among them.
const ALGORITHMS: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "EdDSA", "none",
];

/// When a token holds. Whole seconds, as Go counts them (from the year 1, wrapping around).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    expires: Option<i64>,
    not_before: Option<i64>,
}

impl Times {
    /// Go's words if the token does not hold at `now`.
    pub(crate) fn check(self, now: Timestamp) -> Result<(), &'static str> {
        let nanos = now.as_nanosecond();
        let seconds = (nanos.div_euclid(1_000_000_000) as i64).saturating_add(UNIX_TO_INTERNAL);
        let expired = self.expires.is_some_and(|at| seconds >= at);
        let early = self.not_before.is_some_and(|at| seconds < at);
        match (expired, early) {
            (false, false) => Ok(()),
            (true, false) => Err("token is expired"),
            (false, true) => Err("token is not valid yet"),
            (true, true) => Err("token is expired, token is not valid yet"),
        }
    }

    /// When it expires, in seconds of Unix time.
    #[cfg(test)]
    pub(crate) fn expires_unix(self) -> Option<i64> {
        self.expires.map(|at| at.wrapping_sub(UNIX_TO_INTERNAL))
    }
}

/// The decoded parts of a token.
pub(crate) struct Parts {
    /// The header's JSON.
    pub(crate) header: Vec<u8>,
    /// The claims' JSON.
    pub(crate) claims: Vec<u8>,
}

fn malformed(reason: impl std::fmt::Display) -> String {
    format!("token is malformed: {reason}")
}

/// Parses a token whose claims go into a struct (`jwt.RegisteredClaims`).
///
/// # Errors
/// golang-jwt's words.
pub(crate) fn parse_registered(token: &[u8]) -> Result<(Parts, Times), String> {
    parse(token, registered)
}

/// Parses a token whose claims go into a map (`jwt.MapClaims`).
///
/// # Errors
/// golang-jwt's words.
pub(crate) fn parse_map(token: &[u8]) -> Result<Parts, String> {
    parse(token, |claims| into_map(claims, "jwt.MapClaims")).map(|(parts, ())| parts)
}

fn parse<T>(
    token: &[u8],
    claims_from: impl FnOnce(&Value<'_>) -> Result<T, String>,
) -> Result<(Parts, T), String> {
    let mut segments = token.split(|&c| c == b'.');
    let (Some(header), Some(claims), Some(_), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(malformed("token contains an invalid number of segments"));
    };
    let header = base64::decode(header)
        .map_err(|e| malformed(format_args!("could not base64 decode header: {e}")))?;
    let bad_header = |e| malformed(format_args!("could not JSON decode header: {e}"));
    let fields = json::parse(&header).map_err(bad_header)?;
    into_map(&fields, "map[string]interface {}").map_err(bad_header)?;
    let claims = base64::decode(claims)
        .map_err(|e| malformed(format_args!("could not base64 decode claim: {e}")))?;
    let bad_claim = |e| malformed(format_args!("could not JSON decode claim: {e}"));
    let decoded = claims_from(&json::parse(&claims).map_err(bad_claim)?).map_err(bad_claim)?;
    match fields.get("alg").and_then(Value::as_str) {
        None => return Err("token is unverifiable: signing method (alg) is unspecified".into()),
        Some(alg) if !ALGORITHMS.contains(&alg) => {
            return Err("token is unverifiable: signing method (alg) is unavailable".into());
        }
        Some(_) => {}
    }
    Ok((Parts { header, claims }, decoded))
}

/// What decoding into a Go map would refuse.
fn into_map(value: &Value<'_>, go_type: &str) -> Result<(), String> {
    match value {
        Value::Object(..) => match value.first_overflow() {
            Some(number) => Err(format!(
                "json: cannot unmarshal number {number} into Go value of type float64"
            )),
            None => Ok(()),
        },
        Value::Null => Ok(()),
        other => Err(format!(
            "json: cannot unmarshal {} into Go value of type {go_type}",
            other.kind()
        )),
    }
}

/// Decodes registered claims. Go remembers the first mismatch of a plain field but stops at once where a field decodes
/// itself (`aud`, `exp`, `nbf`, `iat`), so those come first.
fn registered(claims: &Value<'_>) -> Result<Times, String> {
    let members = match claims {
        Value::Object(members, _) => members,
        Value::Null => return Ok(Times::default()),
        other => {
            return Err(format!(
                "json: cannot unmarshal {} into Go value of type jwt.RegisteredClaims",
                other.kind()
            ));
        }
    };
    let (mut times, mut first_mismatch) = (Times::default(), None);
    for (name, value) in members {
        let is = |field| folds_to(name, field);
        if is("aud") {
            audience(value)?;
        } else if is("exp") {
            times.expires = numeric_date(value)?;
        } else if is("nbf") {
            times.not_before = numeric_date(value)?;
        } else if is("iat") {
            numeric_date(value)?;
        } else if let Some(field) = ["iss", "sub", "jti"].into_iter().find(|field| is(field))
            && !matches!(value, Value::String(..) | Value::Null)
        {
            first_mismatch.get_or_insert_with(|| {
                format!(
                    "json: cannot unmarshal {} into Go struct field RegisteredClaims.{field} of type string",
                    value.kind()
                )
            });
        }
    }
    first_mismatch.map_or(Ok(times), Err)
}

fn audience(value: &Value<'_>) -> Result<(), String> {
    if let Some(number) = value.first_overflow() {
        return Err(format!(
            "json: cannot unmarshal number {number} into Go struct field RegisteredClaims.aud of type float64"
        ));
    }
    let fits = match value {
        Value::String(..) | Value::Null => true,
        Value::Array(items, _) => items.iter().all(|item| matches!(item, Value::String(..))),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err("invalid type for claim".into())
    }
}

/// A time in seconds, as a number or as a number in a string.
fn numeric_date(value: &Value<'_>) -> Result<Option<i64>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Number(text) => text,
        Value::String(text, _) if is_number(text) => text.as_str(),
        Value::String(_, literal) => {
            return Err(format!(
                "could not parse NumericData: json: invalid number literal, trying to unmarshal {} into Number",
                quote_bytes(literal)
            ));
        }
        other => {
            return Err(format!(
                "could not parse NumericData: json: cannot unmarshal {} into Go value of type json.Number",
                other.kind()
            ));
        }
    };
    let float: f64 = text.parse().unwrap_or(f64::INFINITY);
    if float.is_infinite() {
        return Err(format!(
            "could not convert json number value to float: strconv.ParseFloat: parsing {}: value out of range",
            quote_bytes(text.as_bytes())
        ));
    }
    Ok(Some(seconds(float)))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && json::check_valid(text.as_bytes()).is_ok()
}

/// Go's `time.Unix(int64(whole), int64(fraction*1e9))`, cut to the second. What does not fit an int64 becomes the
/// smallest one on amd64, and additions wrap around.
fn seconds(float: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let whole = float.trunc();
    let whole_seconds = if (-LIMIT..LIMIT).contains(&whole) {
        whole as i64
    } else {
        i64::MIN
    };
    let nanos = ((float - whole) * 1e9) as i64;
    whole_seconds
        .wrapping_sub(i64::from(nanos < 0))
        .wrapping_add(UNIX_TO_INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(json: &str) -> String {
        use ::base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.encode(json)
    }

    fn parse_claims(claims: &str) -> Result<Times, String> {
        let token = format!("{}.{}.x", encode(r#"{"alg":"none"}"#), encode(claims));
        parse_registered(token.as_bytes()).map(|(_, times)| times)
    }

    #[test]
    fn refuses_claims_in_go_s_words() {
        let prefix = "token is malformed: could not JSON decode claim: ";
        for (claims, reason) in [
            (
                "[]",
                "json: cannot unmarshal array into Go value of type jwt.RegisteredClaims",
            ),
            (
                r#"{"iss":1,"sub":[]}"#,
                "json: cannot unmarshal number into Go struct field RegisteredClaims.iss of type string",
            ),
            (
                r#"{"ISS":true}"#,
                "json: cannot unmarshal bool into Go struct field RegisteredClaims.iss of type string",
            ),
            (r#"{"iss":1,"aud":5}"#, "invalid type for claim"),
            (r#"{"aud":["a",1]}"#, "invalid type for claim"),
            (
                r#"{"aud":[1e999]}"#,
                "json: cannot unmarshal number 1e999 into Go struct field RegisteredClaims.aud of type float64",
            ),
            (
                r#"{"exp":{}}"#,
                "could not parse NumericData: json: cannot unmarshal object into Go value of type json.Number",
            ),
            (
                r#"{"exp":"soon"}"#,
                r#"could not parse NumericData: json: invalid number literal, trying to unmarshal "\"soon\"" into Number"#,
            ),
            (
                r#"{"exp":1e400}"#,
                r#"could not convert json number value to float: strconv.ParseFloat: parsing "1e400": value out of range"#,
            ),
            ("", "unexpected end of JSON input"),
        ] {
            assert_eq!(
                parse_claims(claims),
                Err(format!("{prefix}{reason}")),
                "{claims}"
            );
        }
    }

    #[test]
    fn reads_times_as_go_does() {
        let expires = |claims| parse_claims(claims).unwrap().expires_unix();
        assert_eq!(expires(r#"{"exp":1700000000.9}"#), Some(1_700_000_000));
        assert_eq!(expires(r#"{"EXP":"17e8"}"#), Some(1_700_000_000));
        assert_eq!(expires(r#"{"exp":-0.5}"#), Some(-1));
        assert_eq!(expires(r#"{"exp":1,"exp":null}"#), None);
        assert_eq!(expires("null"), None);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert!(parse_claims(r#"{"exp":1e18}"#).unwrap().check(now).is_ok());
        assert!(parse_claims(r#"{"exp":1e30}"#).unwrap().check(now).is_err());
        assert_eq!(
            parse_claims(r#"{"exp":1700000000,"nbf":1700000001}"#)
                .unwrap()
                .check(now),
            Err("token is expired, token is not valid yet")
        );
    }

    #[test]
    fn refuses_headers_in_go_s_words() {
        let parse = |header: &str| {
            parse_registered(format!("{header}.e30.").as_bytes())
                .err()
                .unwrap()
        };
        assert_eq!(
            parse(&encode("[]")),
            "token is malformed: could not JSON decode header: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
        assert_eq!(
            parse(&encode("null")),
            "token is unverifiable: signing method (alg) is unspecified"
        );
        assert_eq!(
            parse(&encode(r#"{"alg":"hs256"}"#)),
            "token is unverifiable: signing method (alg) is unavailable"
        );
        assert_eq!(
            parse("a"),
            "token is malformed: could not base64 decode header: illegal base64 data at input byte 0"
        );
        assert!(parse_registered(b"a.b").is_err() && parse_registered(b"a.b.c.d").is_err());
    }
}
