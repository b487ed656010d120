//! Who calls, and whom a statement names.

use serde::{Deserialize, Serialize};

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Principal {
    /// The root user of an account.
    Root {
        /// Twelve digits.
        account: String,
    },
    /// An IAM user.
    User {
        /// `arn:aws:iam::<a>:user<path><name>`.
        arn: String,
        /// `AIDA...`.
        id: String,
    },
    /// A session of a role.
    RoleSession {
        /// `arn:aws:iam::<a>:role<path><name>`.
        role_arn: String,
        /// `AROA...`, without the session name.
        role_id: String,
        /// `arn:aws:sts::<a>:assumed-role/<name>/<session>`.
        session_arn: String,
    },
    /// A session from GetFederationToken.
    FederatedUser {
        /// `arn:aws:sts::<a>:federated-user/<name>`.
        arn: String,
        /// The user whose key asked for it.
        user_arn: Option<String>,
    },
    /// An AWS service calling in its own name.
    Service {
        /// `pods.eks.amazonaws.com`.
        name: String,
    },
    /// The bearer of a web-identity token.
    WebIdentity {
        /// ARN of the OIDC provider.
        provider: String,
    },
    /// Nobody: the request is not signed.
    Anonymous,
}

impl Principal {
    /// The account whose principal this is; `None` for services, web identities and nobody.
    pub fn account(&self) -> Option<&str> {
        match self {
            Principal::Root { account } => Some(account),
            Principal::User { arn, .. } | Principal::FederatedUser { arn, .. } => account_of(arn),
            Principal::RoleSession { session_arn, .. } => account_of(session_arn),
            Principal::Service { .. } | Principal::WebIdentity { .. } | Principal::Anonymous => {
                None
            }
        }
    }

    /// How the caller is named to people: its ARN, the service's name, the provider's ARN.
    pub fn name(&self) -> String {
        match self {
            Principal::Root { account } => format!("arn:aws:iam::{account}:root"),
            Principal::User { arn, .. } | Principal::FederatedUser { arn, .. } => arn.clone(),
            Principal::RoleSession { session_arn, .. } => session_arn.clone(),
            Principal::Service { name } => name.clone(),
            Principal::WebIdentity { provider } => provider.clone(),
            Principal::Anonymous => "anonymous".into(),
        }
    }

    /// As a mismatch names it: `Service pods.eks.amazonaws.com`, `AWS arn:...`, `Federated arn:...`.
    pub fn described(&self) -> String {
        let kind = match self {
            Principal::Service { .. } => "Service ",
            Principal::WebIdentity { .. } => "Federated ",
            Principal::Anonymous => "",
            _ => "AWS ",
        };
        format!("{kind}{}", self.name())
    }

    /// Service-linked roles are outside the reach of organisation policies (docs).
    pub(crate) fn is_service_linked(&self) -> bool {
        matches!(self, Principal::RoleSession { role_arn, .. } if role_arn.contains(":role/aws-service-role/"))
    }
}

/// The kinds of key inside a `Principal` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrincipalType {
    /// `"Principal": "*"` without a key.
    Everyone,
    /// `AWS`: accounts, roles, users, sessions.
    #[serde(rename = "AWS")]
    Aws,
    /// `Service`.
    Service,
    /// `Federated`: OIDC and SAML providers.
    Federated,
    /// `CanonicalUser`: S3's old ids.
    CanonicalUser,
}

impl PrincipalType {
    pub(crate) fn parse(key: &str) -> Option<Self> {
        Some(match key {
            "AWS" => PrincipalType::Aws,
            "Service" => PrincipalType::Service,
            "Federated" => PrincipalType::Federated,
            "CanonicalUser" => PrincipalType::CanonicalUser,
            _ => return None,
        })
    }

    /// The key as AWS prints it in a refusal: `AWS`, `SERVICE`, `FEDERATED`.
    pub fn upper(self) -> &'static str {
        match self {
            PrincipalType::Everyone => "STAR",
            PrincipalType::Aws => "AWS",
            PrincipalType::Service => "SERVICE",
            PrincipalType::Federated => "FEDERATED",
            PrincipalType::CanonicalUser => "CANONICAL_USER",
        }
    }
}

/// One principal that a document names; the cloud checks that it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPrincipal {
    /// Under which key.
    pub kind: PrincipalType,
    /// As written: an ARN, twelve digits, a service's name, a unique id, `*`.
    pub value: String,
    /// The unique id that a role's or user's ARN was resolved to, once it was.
    pub id: Option<String>,
    /// Index of the statement.
    pub statement: usize,
}

impl NamedPrincipal {
    /// AWS's refusal when the principal does not exist (recorded): `Invalid principal in policy: "AWS":"arn:..."`.
    pub fn invalid_text(&self) -> String {
        crate::texts::invalid_principal(self.kind.upper(), &self.value)
    }

    /// The value when it is the ARN of a role or a user, which must exist and is stored by its id.
    pub fn role_or_user_arn(&self) -> Option<&str> {
        let resource = self.value.splitn(6, ':').nth(5)?;
        let named = resource.starts_with("role/") || resource.starts_with("user/");
        (self.kind == PrincipalType::Aws && named).then_some(self.value.as_str())
    }
}

/// How closely an Allow in a resource policy names the caller; decides what else is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Its account: delegates to the identity policies.
    Account,
    /// Its role, or everyone.
    Role,
    /// The session, the user, the service itself.
    Direct,
}

/// One entry of `Principal` or `NotPrincipal`, ready to match.
#[derive(Clone, Debug)]
pub(crate) struct PrincipalPattern {
    pub(crate) kind: PrincipalType,
    /// As written.
    pub(crate) text: Box<str>,
    /// Set when the ARN was resolved: only this id matches.
    pub(crate) id: Option<Box<str>>,
    /// Where the string stands in the source, quotes included.
    pub(crate) span: (usize, usize),
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Everyone,
    Account,
    Role,
    User,
    Session,
    FederatedUser,
    UniqueId,
    /// Compared as written: service, provider, anything else.
    Exact,
}

impl PrincipalPattern {
    pub(crate) fn new(kind: PrincipalType, text: &str, span: (usize, usize)) -> Self {
        let form = match kind {
            PrincipalType::Everyone => Form::Everyone,
            PrincipalType::Aws => aws_form(text),
            _ => Form::Exact,
        };
        Self {
            kind,
            text: text.into(),
            id: None,
            span,
            form,
        }
    }

    pub(crate) fn is_everyone(&self) -> bool {
        self.form == Form::Everyone
    }

    pub(crate) fn described(&self) -> String {
        match self.kind {
            PrincipalType::Everyone => "*".into(),
            PrincipalType::Aws => format!("AWS {}", self.text),
            PrincipalType::Service => format!("Service {}", self.text),
            PrincipalType::Federated => format!("Federated {}", self.text),
            PrincipalType::CanonicalUser => format!("CanonicalUser {}", self.text),
        }
    }

    fn account(&self) -> Option<&str> {
        if self.text.starts_with("arn:") {
            account_of(&self.text)
        } else {
            Some(&self.text)
        }
    }

    /// Does it name the caller, and how closely?
    pub(crate) fn grant(&self, caller: &Principal) -> Option<Grant> {
        match self.form {
            Form::Everyone => Some(Grant::Role),
            Form::Account => (caller.account().is_some() && caller.account() == self.account())
                .then_some(Grant::Account),
            Form::Role => match caller {
                Principal::RoleSession {
                    role_arn, role_id, ..
                } => match &self.id {
                    Some(id) => **id == **role_id,
                    None => *self.text == **role_arn,
                }
                .then_some(Grant::Role),
                _ => None,
            },
            Form::User => match caller {
                Principal::User { arn, id } => match &self.id {
                    Some(stored) => **stored == **id,
                    None => *self.text == **arn,
                }
                .then_some(Grant::Direct),
                Principal::FederatedUser {
                    user_arn: Some(arn),
                    ..
                } => (*self.text == **arn).then_some(Grant::Role),
                _ => None,
            },
            Form::Session => match caller {
                Principal::RoleSession { session_arn, .. } => {
                    (*self.text == **session_arn).then_some(Grant::Direct)
                }
                _ => None,
            },
            Form::FederatedUser => match caller {
                Principal::FederatedUser { arn, .. } => {
                    (*self.text == **arn).then_some(Grant::Direct)
                }
                _ => None,
            },
            Form::UniqueId => match caller {
                Principal::RoleSession { role_id, .. } => {
                    (*self.text == **role_id).then_some(Grant::Role)
                }
                Principal::User { id, .. } => (*self.text == **id).then_some(Grant::Direct),
                _ => None,
            },
            Form::Exact => match (self.kind, caller) {
                (PrincipalType::Service, Principal::Service { name }) => {
                    (*self.text == **name).then_some(Grant::Direct)
                }
                (PrincipalType::Federated, Principal::WebIdentity { provider }) => {
                    (*self.text == **provider).then_some(Grant::Direct)
                }
                _ => None,
            },
        }
    }
}

/// Does a `NotPrincipal` list spare the caller? Account, role and session must all be listed (docs).
pub(crate) fn spared(listed: &[PrincipalPattern], caller: &Principal) -> bool {
    let named = |wanted: Grant| {
        listed
            .iter()
            .any(|entry| entry.grant(caller) == Some(wanted))
    };
    if listed.iter().any(PrincipalPattern::is_everyone) {
        return true;
    }
    match caller {
        Principal::Root { .. } => named(Grant::Account),
        Principal::User { .. } | Principal::FederatedUser { .. } => {
            named(Grant::Account) && named(Grant::Direct)
        }
        Principal::RoleSession { .. } => {
            named(Grant::Account) && named(Grant::Role) && named(Grant::Direct)
        }
        Principal::Service { .. } | Principal::WebIdentity { .. } | Principal::Anonymous => {
            named(Grant::Direct)
        }
    }
}

fn aws_form(text: &str) -> Form {
    if text == "*" {
        return Form::Everyone;
    }
    if is_account(text) {
        return Form::Account;
    }
    if text.starts_with("AROA") || text.starts_with("AIDA") {
        return Form::UniqueId;
    }
    match text.splitn(6, ':').nth(5) {
        Some("root") => Form::Account,
        Some(resource) if resource.starts_with("role/") => Form::Role,
        Some(resource) if resource.starts_with("user/") => Form::User,
        Some(resource) if resource.starts_with("assumed-role/") => Form::Session,
        Some(resource) if resource.starts_with("federated-user/") => Form::FederatedUser,
        _ => Form::Exact,
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The account part of an ARN.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}
