//! Who signed a request, with all that the policy engine may ask of them.

use std::collections::BTreeMap;

use emu_core::{
    Timestamp,
    journal::{Caller, CallerKind},
};

/// A principal as the services see it. Secrets are kept elsewhere (`iam::AccessKey`, `sts::Session`).
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its kind, ARN, account, key id, role ARN and session name, as the journal shows them.
    pub caller: Caller,
    /// `AIDA…`, `AROA…:session`, the account for root.
    pub user_id: String,
    /// For sessions: the role's unique id. A role created anew under the same name has another one.
    pub role_id: Option<String>,
    /// For users.
    pub user_name: Option<String>,
    /// Session tags, inherited ones included. Role and user tags are looked up when needed.
    pub session_tags: BTreeMap<String, String>,
    /// The transitive ones among them, in the order they were passed.
    pub transitive_tags: Vec<String>,
    /// Session policies, as text.
    pub session_policies: Vec<String>,
    /// ARNs of managed policies used as session policies.
    pub session_policy_arns: Vec<String>,
    /// The source identity.
    pub source_identity: Option<String>,
    /// For sessions: when the credentials were issued.
    pub issued_at: Option<Timestamp>,
    /// For sessions: when they expire.
    pub expires_at: Option<Timestamp>,
    /// For web identity sessions: the provider's ARN.
    pub federated_provider: Option<String>,
    /// For a service acting for a resource: `aws:SourceArn`.
    pub source_arn: Option<String>,
    /// For a service acting for a resource: `aws:SourceAccount`.
    pub source_account: Option<String>,
}

impl Identity {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The root of an account, by a key of its own or as ourselves.
    pub fn root(account: &str, access_key_id: Option<String>) -> Self {
        Self {
            caller: Caller {
                kind: CallerKind::Root,
                arn: format!("arn:aws:iam::{account}:root"),
                account: account.into(),
                access_key_id,
                ..Caller::default()
            },
            user_id: account.into(),
            ..Self::default()
        }
    }

    /// An AWS service acting for a resource, such as `pods.eks.amazonaws.com` for a cluster.
    pub fn service(name: &str, source_arn: Option<String>, source_account: Option<String>) -> Self {
        Self {
            caller: Caller {
                kind: CallerKind::Service,
                arn: name.into(),
                ..Caller::default()
            },
            source_arn,
            source_account,
            ..Self::default()
        }
    }

    /// Whether these are session credentials of any kind: a role assumed with them is chained.
    pub fn is_session(&self) -> bool {
        self.expires_at.is_some()
    }
}
