//! What a request says about its own signature, taken apart but not judged.

use std::borrow::Cow;

use http::{HeaderMap, header, request::Parts};

use super::{ALGORITHM, AmzDate, encode::decode_text};

/// Where the signature travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned request.
    Query,
}

/// The credential scope, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope<'r> {
    /// `yyyymmdd`.
    pub date: Cow<'r, str>,
    /// The region.
    pub region: Cow<'r, str>,
    /// The signing name of the service.
    pub service: Cow<'r, str>,
    /// `aws4_request`.
    pub terminator: Cow<'r, str>,
}

/// A complete claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<'r> {
    /// Header or query.
    pub form: Form,
    /// The access key id.
    pub access_key_id: Cow<'r, str>,
    /// The scope.
    pub scope: Scope<'r>,
    /// Lower-case names joined by `;`, as written.
    pub signed_headers: Cow<'r, str>,
    /// The signature, as written.
    pub signature: Cow<'r, str>,
    /// When the request was signed.
    pub date: AmzDate,
    /// `X-Amz-Expires`, as written.
    pub expires: Option<Cow<'r, str>>,
    /// `X-Amz-Security-Token` of the query; that of the header is read by [`Claim::header_tokens`].
    pub query_token: Option<Cow<'r, str>>,
}

/// A claim that is not complete. `scope_service` is given where it can be read all the same, for the answer's shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Signature in the header and in the query.
    #[error("signed in the header and in the query")]
    BothForms,
    /// Another scheme than `AWS4-HMAC-SHA256`.
    #[error("the authorization scheme is `{0}`")]
    Scheme(String),
    /// Parts of the `Authorization` header are missing.
    #[error("the Authorization header lacks {missing:?}")]
    Header {
        /// Among `Credential`, `Signature`, `SignedHeaders` and `X-Amz-Date`.
        missing: Vec<&'static str>,
        /// The header as sent.
        header: String,
    },
    /// Parameters of the query are missing.
    #[error("the query lacks {missing:?}")]
    Query {
        /// Their names.
        missing: Vec<&'static str>,
    },
    /// The credential has not the form `id/date/region/service/aws4_request`.
    #[error("the credential is `{credential}`")]
    Credential {
        /// The credential as sent.
        credential: String,
        /// Where it stood.
        form: Form,
    },
    /// The date is no date.
    #[error("the date is `{0}`")]
    Date(String),
}

impl<'r> Claim<'r> {
    /// Reads the claim of a request; `None` if it makes none.
    ///
    /// # Errors
    /// [`Malformed`] when it makes one that cannot be followed.
    pub fn of(parts: &'r Parts) -> Result<Option<Self>, Malformed> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let query = parts
            .uri
            .query()
            .filter(|q| q.contains("X-Amz-"))
            .map(QueryClaim::read)
            .filter(|q| q.algorithm.is_some() || q.signature.is_some() || q.credential.is_some());
        match (header, query) {
            (None, None) if parts.uri.query().is_some_and(is_version_2) => {
                Err(Malformed::Scheme("AWS".into()))
            }
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Malformed::BothForms),
            (Some(value), None) => {
                let text = value
                    .to_str()
                    .map_err(|_| Malformed::Scheme("not text".into()))?;
                Self::of_header(text, &parts.headers).map(Some)
            }
            (None, Some(query)) => query.claim().map(Some),
        }
    }

    fn of_header(text: &'r str, headers: &'r HeaderMap) -> Result<Self, Malformed> {
        let scheme = text.split([' ', ',']).next().unwrap_or_default();
        if scheme != ALGORITHM {
            return Err(Malformed::Scheme(scheme.into()));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in text[scheme.len()..].split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {}
            }
        }
        let date = header_date(headers).transpose()?;
        let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
            (credential, signed_headers, signature, date)
        else {
            let missing = [
                ("Credential", credential.is_none()),
                ("Signature", signature.is_none()),
                ("SignedHeaders", signed_headers.is_none()),
                ("X-Amz-Date", date.is_none()),
            ];
            return Err(Malformed::Header {
                missing: missing
                    .into_iter()
                    .filter_map(|(name, lacks)| lacks.then_some(name))
                    .collect(),
                header: text.into(),
            });
        };
        let (access_key_id, scope) = split_credential(credential, Form::Header)?;
        Ok(Self {
            form: Form::Header,
            access_key_id: access_key_id.into(),
            scope,
            signed_headers: signed_headers.into(),
            signature: signature.into(),
            date,
            expires: None,
            query_token: None,
        })
    }

    /// Whether a header is among the signed ones. `name` in lower case.
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers
            .split(';')
            .any(|signed| signed.eq_ignore_ascii_case(name))
    }

    /// The values of `x-amz-security-token` headers, in wire order.
    pub fn header_tokens(headers: &HeaderMap) -> impl Iterator<Item = Cow<'_, str>> {
        headers
            .get_all("x-amz-security-token")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
    }
}

/// Whether a query is presigned in the manner of Signature Version 2, which AWS no longer takes for new buckets (docs).
fn is_version_2(query: &str) -> bool {
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    has("AWSAccessKeyId=") && has("Signature=")
}

/// `x-amz-date`, else `date`; `None` when there is neither.
fn header_date(headers: &HeaderMap) -> Option<Result<AmzDate, Malformed>> {
    let read = |value: &http::HeaderValue, parse: fn(&str) -> Option<AmzDate>| {
        let text = String::from_utf8_lossy(value.as_bytes());
        parse(text.trim()).ok_or_else(|| Malformed::Date(text.into_owned()))
    };
    if let Some(value) = headers.get("x-amz-date") {
        return Some(read(value, AmzDate::basic));
    }
    headers
        .get(header::DATE)
        .map(|value| read(value, AmzDate::http))
}

fn split_credential(credential: &str, form: Form) -> Result<(&str, Scope<'_>), Malformed> {
    let mut parts = credential.splitn(5, '/');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    match (next(), next(), next(), next(), next()) {
        (Some(id), Some(date), Some(region), Some(service), Some(terminator))
            if !terminator.contains('/') =>
        {
            Ok((
                id,
                Scope {
                    date: date.into(),
                    region: region.into(),
                    service: service.into(),
                    terminator: terminator.into(),
                },
            ))
        }
        _ => Err(Malformed::Credential {
            credential: credential.into(),
            form,
        }),
    }
}

#[derive(Default)]
struct QueryClaim<'r> {
    algorithm: Option<Cow<'r, str>>,
    credential: Option<Cow<'r, str>>,
    date: Option<Cow<'r, str>>,
    expires: Option<Cow<'r, str>>,
    signed_headers: Option<Cow<'r, str>>,
    signature: Option<Cow<'r, str>>,
    token: Option<Cow<'r, str>>,
}

impl<'r> QueryClaim<'r> {
    fn read(query: &'r str) -> Self {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match name {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Date" => &mut found.date,
                "X-Amz-Expires" => &mut found.expires,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-Security-Token" => &mut found.token,
                _ => continue,
            };
            field.get_or_insert_with(|| decode_text(value, true));
        }
        found
    }

    fn claim(self) -> Result<Claim<'r>, Malformed> {
        if let Some(algorithm) = self.algorithm.as_deref().filter(|a| *a != ALGORITHM) {
            return Err(Malformed::Scheme(algorithm.into()));
        }
        let (Some(_), Some(credential), Some(date), Some(signed_headers), Some(signature)) = (
            &self.algorithm,
            &self.credential,
            &self.date,
            &self.signed_headers,
            &self.signature,
        ) else {
            let missing = [
                ("X-Amz-Algorithm", self.algorithm.is_none()),
                ("X-Amz-Credential", self.credential.is_none()),
                ("X-Amz-Signature", self.signature.is_none()),
                ("X-Amz-SignedHeaders", self.signed_headers.is_none()),
                ("X-Amz-Date", self.date.is_none()),
            ];
            return Err(Malformed::Query {
                missing: missing
                    .into_iter()
                    .filter_map(|(name, lacks)| lacks.then_some(name))
                    .collect(),
            });
        };
        let (id, scope) = split_credential(credential, Form::Query)?;
        Ok(Claim {
            form: Form::Query,
            access_key_id: Cow::Owned(id.to_owned()),
            scope: Scope {
                date: scope.date.into_owned().into(),
                region: scope.region.into_owned().into(),
                service: scope.service.into_owned().into(),
                terminator: scope.terminator.into_owned().into(),
            },
            date: AmzDate::basic(date).ok_or_else(|| Malformed::Date(date.clone().into_owned()))?,
            signed_headers: signed_headers.clone(),
            signature: signature.clone(),
            expires: self.expires,
            query_token: self.token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AK/20150830/us-east-1/iam/aws4_request,SignedHeaders=host;x-amz-date,  Signature=ab";

    #[test]
    fn reads_a_header() {
        let parts = parts(
            "/",
            &[("authorization", GOOD), ("x-amz-date", "20150830T123600Z")],
        );
        let claim = Claim::of(&parts).unwrap().unwrap();
        assert_eq!(claim.access_key_id, "AK");
        assert_eq!(claim.scope.service, "iam");
        assert_eq!(claim.signature, "ab");
        assert!(claim.signs("host") && !claim.signs("hos"));
    }

    #[test]
    fn names_what_is_missing() {
        let of = |header: &str| Claim::of(&parts("/", &[("authorization", header)])).unwrap_err();
        let Malformed::Header { missing, .. } = of("AWS4-HMAC-SHA256 Credential=a") else {
            panic!("not a header error");
        };
        assert_eq!(missing, ["Signature", "SignedHeaders", "X-Amz-Date"]);
        assert_eq!(of("Bearer x"), Malformed::Scheme("Bearer".into()));
        let dated = parts(
            "/",
            &[
                ("authorization", &GOOD.replace("/iam/", "/")),
                ("x-amz-date", "20150830T123600Z"),
            ],
        );
        assert!(matches!(
            Claim::of(&dated),
            Err(Malformed::Credential { .. })
        ));
    }

    #[test]
    fn reads_a_query_and_refuses_both() {
        let uri = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20150830%2Fus-east-1%2Fsts%2Faws4_request\
                   &X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=00";
        let only = parts(uri, &[]);
        let claim = Claim::of(&only).unwrap().unwrap();
        assert_eq!(claim.form, Form::Query);
        assert_eq!(claim.signed_headers, "host;x-k8s-aws-id");
        let both = parts(uri, &[("authorization", GOOD)]);
        assert_eq!(Claim::of(&both), Err(Malformed::BothForms));
        assert_eq!(Claim::of(&parts("/?a=b", &[])), Ok(None));
        assert!(matches!(
            Claim::of(&parts("/?X-Amz-Signature=1", &[])),
            Err(Malformed::Query { .. })
        ));
    }
}
