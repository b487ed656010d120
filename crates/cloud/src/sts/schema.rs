//! What the model asks of the parameters that issue sessions. All that break are named in one message.

use crate::{
    ServiceError,
    constraint::{
        ARN_PATTERN, Constraints, DOCUMENT_PATTERN, TAG_KEY_PATTERN, TAG_VALUE_PATTERN,
        arn_character, document_character, external_id_character, name_character, tag_character,
    },
    iam::Tag,
};

/// What AWS prints for names.
const NAME_PATTERN: &str = r"[\w+=,.@-]*";

/// The parameters as they came, absent ones included. Each call uses those it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    /// `RoleArn`.
    pub role_arn: Option<&'a str>,
    /// `RoleSessionName`.
    pub session_name: Option<&'a str>,
    /// `DurationSeconds`.
    pub duration_seconds: Option<i64>,
    /// `ExternalId`.
    pub external_id: Option<&'a str>,
    /// `SourceIdentity`.
    pub source_identity: Option<&'a str>,
    /// `Policy`.
    pub policy: Option<&'a str>,
    /// `PolicyArns`.
    pub policy_arns: &'a [String],
    /// `Tags`.
    pub tags: &'a [Tag],
    /// `TransitiveTagKeys`.
    pub transitive_tag_keys: &'a [String],
    /// `WebIdentityToken`.
    pub web_identity_token: Option<&'a str>,
}

impl Parameters<'_> {
    /// As AssumeRole asks.
    ///
    /// # Errors
    /// ValidationError.
    pub fn check_assume_role(&self) -> Result<(), ServiceError> {
        let mut constraints = Constraints::sts();
        self.role(&mut constraints);
        self.shared(&mut constraints, 43_200, usize::MAX);
        constraints.finish()
    }

    /// As AssumeRoleWithWebIdentity asks.
    ///
    /// # Errors
    /// ValidationError.
    pub fn check_web_identity(&self) -> Result<(), ServiceError> {
        let mut constraints = Constraints::sts();
        self.role(&mut constraints);
        if let Some(token) = constraints.present("webIdentityToken", self.web_identity_token) {
            // The value is a secret; the real message prints it, this one does not need to.
            let length = token.chars().count();
            if length < 4 {
                constraints.add(
                    "webIdentityToken",
                    "",
                    "Member must have length greater than or equal to 4",
                );
            } else if length > 20_000 {
                constraints.add(
                    "webIdentityToken",
                    "",
                    "Member must have length less than or equal to 20000",
                );
            }
        }
        self.shared(&mut constraints, 43_200, 2_048);
        constraints.finish()
    }

    /// As GetSessionToken and GetFederationToken ask, the latter with a name.
    ///
    /// # Errors
    /// ValidationError.
    pub fn check_token(&self, name: Option<Option<&str>>) -> Result<(), ServiceError> {
        let mut constraints = Constraints::sts();
        if let Some(name) = name
            && let Some(name) = constraints.present("name", name)
        {
            constraints.length("name", name, 2, 32);
            constraints.characters("name", name, NAME_PATTERN, name_character);
        }
        self.shared(&mut constraints, 129_600, 2_048);
        constraints.finish()
    }

    fn role(&self, constraints: &mut Constraints) {
        if let Some(arn) = constraints.present("roleArn", self.role_arn) {
            constraints.characters("roleArn", arn, ARN_PATTERN, arn_character);
            constraints.length("roleArn", arn, 20, 2_048);
        }
        if let Some(name) = constraints.present("roleSessionName", self.session_name) {
            constraints.length("roleSessionName", name, 2, 64);
            constraints.characters("roleSessionName", name, NAME_PATTERN, name_character);
        }
    }

    fn shared(&self, constraints: &mut Constraints, longest: i64, policy: usize) {
        if let Some(seconds) = self.duration_seconds {
            constraints.range("durationSeconds", seconds, 900, longest);
        }
        if let Some(id) = self.external_id {
            constraints.length("externalId", id, 2, 1_224);
            constraints.characters("externalId", id, r"[\w+=,.@:\/-]*", external_id_character);
        }
        if let Some(identity) = self.source_identity {
            constraints.length("sourceIdentity", identity, 2, 256);
            constraints.characters("sourceIdentity", identity, NAME_PATTERN, name_character);
        }
        if let Some(text) = self.policy {
            constraints.length("policy", text, 1, policy);
            constraints.characters("policy", text, DOCUMENT_PATTERN, document_character);
        }
        constraints.count("policyArns", self.policy_arns.len(), 0, 10);
        for (n, arn) in self.policy_arns.iter().enumerate() {
            let name = format!("policyArns.{}.member.arn", n + 1);
            constraints.length(&name, arn, 20, 2_048);
            constraints.characters(&name, arn, ARN_PATTERN, arn_character);
        }
        constraints.count("tags", self.tags.len(), 0, 50);
        for (n, (key, value)) in self.tags.iter().enumerate() {
            let name = format!("tags.{}.member.key", n + 1);
            constraints.length(&name, key, 1, 128);
            constraints.characters(&name, key, TAG_KEY_PATTERN, tag_character);
            let name = format!("tags.{}.member.value", n + 1);
            constraints.length(&name, value, 0, 256);
            constraints.characters(&name, value, TAG_VALUE_PATTERN, tag_character);
        }
        constraints.count("transitiveTagKeys", self.transitive_tag_keys.len(), 0, 50);
    }
}

/// Docs: inline and managed session policies together have at most 2048 characters of plain text.
pub(super) fn check_plain_text(
    policy: Option<&str>,
    policy_arns: &[String],
) -> Result<(), ServiceError> {
    let length = |text: &str| text.chars().count();
    let total = policy.map_or(0, length) + policy_arns.iter().map(|arn| length(arn)).sum::<usize>();
    let mut constraints = Constraints::sts();
    if total > 2_048 {
        // Inferred: the sum is reported as the policy's own bound.
        constraints.add(
            "policy",
            policy.unwrap_or_default(),
            "Member must have length less than or equal to 2048",
        );
    }
    constraints.finish()
}
