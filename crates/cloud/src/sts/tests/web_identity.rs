//! AssumeRoleWithWebIdentity (E.7 of the reference).

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::pair;
use crate::{
    Call, Cloud, Identity,
    iam::CreateProvider,
    sts::{WebIdentity, WebIdentitySession},
    testing::{ACCOUNT, cloud, role, root, said},
};

const ISSUER: &str = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC";

struct World {
    cloud: Arc<Cloud>,
    key: EncodingKey,
    call: Call,
    role_arn: String,
}

/// An issuer with a P-256 key (quick to make), its provider, and a role for one service account.
fn world() -> World {
    let cloud = cloud();
    let (pem, x, y) = key();
    let jwks = json!({"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k1","x":x,"y":y}]});
    cloud
        .sts
        .register_issuer(ISSUER, serde_json::from_value(jwks).unwrap());
    let provider = CreateProvider {
        url: ISSUER.into(),
        client_ids: vec!["sts.amazonaws.com".into()],
        ..CreateProvider::default()
    };
    let provider = cloud
        .iam
        .create_provider(&cloud, &root(&cloud), provider)
        .unwrap();
    let trust = json!({"Version":"2012-10-17","Statement":[{
        "Effect":"Allow","Principal":{"Federated":provider.arn},"Action":"sts:AssumeRoleWithWebIdentity",
        "Condition":{"StringEquals":{
            format!("{}:sub", provider.url): "system:serviceaccount:default:app",
            format!("{}:aud", provider.url): "sts.amazonaws.com",
        }}
    }]});
    let role = role(&cloud, ACCOUNT, "irsa", &trust.to_string(), "");
    let call = Call {
        identity: Identity::anonymous(),
        account: String::new(),
        ..root(&cloud)
    };
    World {
        key: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
        call,
        role_arn: role.arn.clone(),
        cloud,
    }
}

/// A fixed key for tests only: PKCS#8, and its public point.
fn key() -> (&'static str, &'static str, &'static str) {
    (TEST_KEY, TEST_KEY_X, TEST_KEY_Y)
}

impl World {
    fn claims(&self) -> Value {
        let now = self.cloud.now().as_second();
        json!({"iss":ISSUER,"sub":"system:serviceaccount:default:app","aud":["sts.amazonaws.com"],"iat":now,"exp":now + 3_600})
    }

    fn token(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k1".into());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    fn ask(&self, token: String) -> Result<WebIdentitySession, crate::ServiceError> {
        let request = WebIdentity {
            role_arn: Some(self.role_arn.clone()),
            session_name: Some("session".into()),
            token: Some(token),
            ..WebIdentity::default()
        };
        self.cloud
            .sts
            .assume_role_with_web_identity(&self.cloud, &self.call, request)
    }

    fn with(&self, claim: &str, value: Value) -> Result<WebIdentitySession, crate::ServiceError> {
        let mut claims = self.claims();
        claims[claim] = value;
        self.ask(self.token(&claims))
    }
}

#[test]
fn a_service_account_gets_a_session() {
    let world = world();
    let answer = world.ask(world.token(&world.claims())).unwrap();
    assert_eq!(answer.subject, "system:serviceaccount:default:app");
    assert_eq!(answer.audience, "sts.amazonaws.com");
    assert_eq!(
        answer.provider,
        "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"
    );
    assert_eq!(
        answer.session.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/irsa/session"
    );
    assert_eq!(
        answer.session.identity.federated_provider,
        Some(answer.provider)
    );
}

#[test]
fn refusals() {
    let world = world();
    let denied = pair(
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    );
    assert_eq!(
        said(world.with("sub", json!("system:serviceaccount:default:other"))),
        denied
    );
    let token = |text: &str| pair("InvalidIdentityToken", text);
    assert_eq!(
        said(world.with("aud", json!("pods.eks.amazonaws.com"))),
        token("Incorrect token audience")
    );
    assert_eq!(
        said(world.with("aud", json!(["a", "b"]))),
        token(
            "Token audience contains more than one audience while authorized party is not present"
        )
    );
    assert_eq!(
        said(world.with("iss", json!("https://elsewhere.example"))),
        token("No OpenIDConnect provider found in your account for https://elsewhere.example")
    );
    assert_eq!(
        said(world.with("iat", Value::Null)),
        token("Missing a required claim: iat.")
    );
    assert_eq!(
        said(world.ask("not-a-token".into())),
        token(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        )
    );
    let now = world.cloud.now().as_second();
    let (code, text) = said(world.with("exp", json!(now - 10)));
    assert_eq!(code, "ExpiredTokenException");
    assert!(
        text.starts_with("Token expired: current date/time ")
            && text.ends_with(&format!(
                " must be before the expiration date/time {}",
                now - 10
            )),
        "{text}"
    );
    assert!(
        said(world.with("iat", json!(now - 441_398)))
            .1
            .starts_with("Token too old: 44139")
    );
    let mut forged: Vec<String> = world
        .token(&world.claims())
        .split('.')
        .map(str::to_owned)
        .collect();
    let mut claims = world.claims();
    claims["sub"] = json!("system:serviceaccount:kube-system:admin");
    forged[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
    assert_eq!(
        said(world.ask(forged.join("."))),
        token(
            "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
        )
    );
    world.cloud.sts.reset();
    assert_eq!(
        said(world.ask(world.token(&world.claims()))),
        token(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
        )
    );
    let missing = World {
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/none"),
        ..self::world()
    };
    assert_eq!(said(missing.ask(missing.token(&missing.claims()))), denied);
}

#[tokio::test]
async fn tokens_expire_by_the_emulators_clock() {
    let world = world();
    let token = world.token(&world.claims());
    world.ask(token.clone()).unwrap();
    world
        .cloud
        .clock()
        .advance(Duration::from_secs(3_601))
        .await
        .unwrap();
    assert_eq!(said(world.ask(token)).0, "ExpiredTokenException");
}

#[test]
fn tags_come_in_a_claim() {
    let world = world();
    let tags = json!({"principal_tags":{"team":["red"]},"transitive_tag_keys":["team"]});
    let refused = world.with("https://aws.amazon.com/tags", tags.clone());
    assert_eq!(
        said(refused).1,
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "the trust has no sts:TagSession"
    );
    let trust = world
        .cloud
        .iam
        .role(ACCOUNT, "irsa")
        .unwrap()
        .trust
        .text()
        .replace(
            "\"sts:AssumeRoleWithWebIdentity\"",
            "[\"sts:AssumeRoleWithWebIdentity\",\"sts:TagSession\"]",
        );
    world
        .cloud
        .iam
        .update_trust(&world.cloud, &root(&world.cloud), "irsa", &trust)
        .unwrap();
    let session = world
        .with("https://aws.amazon.com/tags", tags)
        .unwrap()
        .session;
    assert_eq!(
        session
            .identity
            .session_tags
            .get("team")
            .map(String::as_str),
        Some("red")
    );
    assert_eq!(session.identity.transitive_tags, ["team"]);
}

/// A P-256 key of no use but here.
const TEST_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiX6cpozd/zojkqKc\nQ3rW+R4bqDzOtnK3wq7Da4Gym7uhRANCAAT5fkCGzfTgAI31ODuP5Q5edSgruoPj\n/g5Fe2gJ7t01ylxEjfIjP6WnGImK5OcqEkK3nJAdwO0Mo83ClyFqOwnN\n-----END PRIVATE KEY-----\n";
const TEST_KEY_X: &str = "-X5Ahs304ACN9Tg7j-UOXnUoK7qD4_4ORXtoCe7dNco";
const TEST_KEY_Y: &str = "XESN8iM_pacYiYrk5yoSQreckB3A7QyjzcKXIWo7Cc0";
