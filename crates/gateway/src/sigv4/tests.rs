//! Our verification against an independent signer, the documented vectors, and tampering.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use http::{Method, Request, request::Parts};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom as _};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn check(parts: &Parts, rule: PathRule, payload: &str, secret: &str) -> bool {
    let claim = Claim::of(parts).unwrap().unwrap();
    verify(&claim, parts, rule, payload, secret).is_ok()
}

fn text(rng: &mut StdRng, alphabet: &[char], longest: usize) -> String {
    (0..rng.random_range(0..=longest))
        .map(|_| *alphabet.choose(rng).unwrap())
        .collect()
}

fn encoded(text: &str, keep_slash: bool) -> String {
    let mut out = Vec::new();
    uri_encode(&mut out, text.as_bytes(), keep_slash);
    String::from_utf8(out).unwrap()
}

struct Case {
    parts: Parts,
    rule: PathRule,
    payload: String,
    query_form: bool,
}

fn case(rng: &mut StdRng) -> Case {
    let letters: Vec<char> = "abcXYZ019-._~ /+=&%é漢:;,*'()!$@[]".chars().collect();
    let s3 = rng.random_bool(0.5);
    let query_form = rng.random_bool(0.4);
    let mut path = format!("/{}", encoded(&text(rng, &letters, 20), true));
    if !s3 {
        for _ in 0..rng.random_range(0..3) {
            path.push_str(["/./", "//", "/../x", "/a"].choose(rng).unwrap());
        }
    }
    let pairs: Vec<String> = (0..rng.random_range(0..5))
        .map(|_| {
            let name = encoded(&text(rng, &letters, 6), false);
            format!("n{name}={}", encoded(&text(rng, &letters, 10), false))
        })
        .collect();
    let mut uri = format!("http://127.0.0.1:4566{path}");
    if !pairs.is_empty() {
        uri = format!("{uri}?{}", pairs.join("&"));
    }
    let method = [Method::GET, Method::PUT, Method::POST, Method::DELETE]
        .choose(rng)
        .unwrap()
        .clone();
    let visible: Vec<char> = "ab  cd,;:=/\"\t".chars().collect();
    let mut headers = vec![("host".to_owned(), "127.0.0.1:4566".to_owned())];
    for i in 0..rng.random_range(0..4) {
        let value = text(rng, &visible, 12).trim().to_owned();
        headers.push((format!("x-amz-meta-{}", i / 2), value));
    }
    let body: Vec<u8> = (0..rng.random_range(0..200))
        .map(|_| rng.random())
        .collect();
    let mut settings = SigningSettings::default();
    if s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if query_form {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
    }
    let token = rng.random_bool(0.5).then(|| "IQoJ+/=token".to_owned());
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, token, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(if s3 { "s3" } else { "sts" })
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(rng.random_range(1..4_000_000_000)))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let unsigned = rng.random_bool(0.3);
    let signable = if unsigned {
        SignableBody::UnsignedPayload
    } else {
        SignableBody::Bytes(&body)
    };
    let request = SignableRequest::new(
        method.as_str(),
        uri.clone(),
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())),
        signable,
    )
    .unwrap();
    let instructions = sign(request, &params).unwrap().into_parts().0;
    let mut built = Request::builder().method(method).uri(uri);
    for (name, value) in &headers {
        built = built.header(name, value);
    }
    let mut request = built.body(()).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    // On the wire there is no scheme and no authority.
    let mut parts = request.into_parts().0;
    parts.uri = parts
        .uri
        .path_and_query()
        .unwrap()
        .as_str()
        .parse()
        .unwrap();
    Case {
        parts,
        rule: if s3 { PathRule::Once } else { PathRule::Twice },
        payload: if unsigned {
            UNSIGNED_PAYLOAD.into()
        } else {
            sha256_hex(&body)
        },
        query_form,
    }
}

#[test]
fn what_another_implementation_signs_we_accept_and_nothing_else() {
    let mut rng = StdRng::seed_from_u64(4);
    let mut tampered = 0;
    for n in 0..4_000 {
        let Case {
            parts,
            rule,
            payload,
            query_form,
        } = case(&mut rng);
        assert!(
            check(&parts, rule, &payload, SECRET),
            "case {n}: {parts:?}\n{:?}",
            verify(
                &Claim::of(&parts).unwrap().unwrap(),
                &parts,
                rule,
                &payload,
                SECRET
            )
        );
        // One change each; every one must be found.
        assert!(!check(&parts, rule, &payload, "another secret"));
        assert!(!check(&parts, rule, &sha256_hex(b"another body"), SECRET));
        let mut other = parts.clone();
        other.method = Method::HEAD;
        assert!(!check(&other, rule, &payload, SECRET));
        let mut other = parts.clone();
        other
            .headers
            .insert("host", "127.0.0.1:4567".parse().unwrap());
        assert!(!check(&other, rule, &payload, SECRET));
        let mut other = parts.clone();
        let target = parts.uri.to_string();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        other.uri = format!("{path}z?{query}").parse().unwrap();
        assert!(!check(&other, rule, &payload, SECRET), "{target}");
        let mut other = parts.clone();
        other.uri = format!("{path}?{query}&zz=1").parse().unwrap();
        assert!(!check(&other, rule, &payload, SECRET));
        if !query_form {
            let header = parts.headers["authorization"].to_str().unwrap().to_owned();
            for (from, to) in [
                ("eu-central-1", "eu-central-2"),
                ("/aws4_request", "/aws4_request2"),
                ("Signature=", "Signature=0"),
            ] {
                let mut other = parts.clone();
                other
                    .headers
                    .insert("authorization", header.replace(from, to).parse().unwrap());
                // The terminator is judged by who reads the claim, so a changed one alone must not change the key.
                let expect = from == "/aws4_request";
                assert_eq!(check(&other, rule, &payload, SECRET), expect, "{from}");
            }
        }
        tampered += 6;
    }
    assert_eq!(tampered, 24_000);
}

/// The official suite's requests, with the key and date all of them share. Source: AWS SigV4 test suite.
#[test]
fn vectors_of_the_official_suite() {
    const FRAME: &str =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ";
    type Vector = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let vectors: [Vector; 6] = [
        (
            "GET",
            "/",
            &[],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            &[],
            "host;x-amz-date",
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "POST",
            "/",
            &[],
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "POST",
            "/?Param1=value1",
            &[],
            "host;x-amz-date",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (
            "GET",
            "/",
            &[("my-header1", "  value1"), ("my-header2", " \"a   b   c\"")],
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ];
    for (method, uri, headers, signed, signature) in vectors {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                format!("{FRAME}SignedHeaders={signed}, Signature={signature}"),
            );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        assert!(
            check(&parts, PathRule::Twice, EMPTY_SHA256, SECRET),
            "{method} {uri}"
        );
    }
}
