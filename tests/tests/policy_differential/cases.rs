//! Generated requests and policies. The vocabulary is small, so that parts meet often.

use std::collections::BTreeMap;

use emu_policy::{
    Context, ContextValue, Document, DocumentKind, Policies, Policy, Principal, Request, Verdict,
    decide,
};
use serde_json::{Map, Value, json};

use crate::random::Random;

pub(crate) const HERE: &str = "111122223333";
const THERE: &str = "444455556666";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const ROLE_WITH_PATH: &str = "arn:aws:iam::111122223333:role/team/api";
const USER: &str = "arn:aws:iam::111122223333:user/ann";
pub(crate) const PROVIDER: &str =
    "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC";

/// A request and every policy that bears on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) principal: Principal,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) resource_account: String,
    pub(crate) context: BTreeMap<String, ContextValue>,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Option<Value>,
    pub(crate) resource_policy: Option<Value>,
    pub(crate) trust: bool,
    pub(crate) scps: Vec<Vec<Value>>,
    pub(crate) rcps: Vec<Vec<Value>>,
}

impl Case {
    pub(crate) fn generate(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let assume = random.chance(40);
        let (action, resource) = if assume {
            let action =
                random.pick(&["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
            (
                action,
                random.pick(&[
                    "arn:aws:iam::111122223333:role/target",
                    "arn:aws:iam::111122223333:role/x/target",
                ]),
            )
        } else if random.chance(80) {
            let action = random.pick(&[
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "S3:getobject",
            ]);
            (
                action,
                random.pick(&[
                    "arn:aws:s3:::invoices/shop/a.txt",
                    "arn:aws:s3:::invoices/ann/b",
                    "arn:aws:s3:::logs/x",
                ]),
            )
        } else {
            (
                "eks:DescribeCluster",
                "arn:aws:eks:us-east-1:111122223333:cluster/demo",
            )
        };
        let principal = principal(random, assume);
        let context = context(random, &principal);
        let trust = assume && !random.chance(5);
        // Without a trust policy the call has no resource policy at all.
        let resource_policy = if trust || (action.starts_with("s3") && random.chance(55)) {
            Some(document(
                random,
                if trust { Kind::Trust } else { Kind::Resource },
            ))
        } else {
            None
        };
        let own = principal.account().is_some();
        let limited = matches!(principal, Principal::RoleSession { .. });
        let mut levels = |percent: usize, kind: Kind| -> Vec<Vec<Value>> {
            if !random.chance(percent) {
                return Vec::new();
            }
            let count = 1 + random.below(2);
            (0..count)
                .map(|_| {
                    let mut level: Vec<Value> = (0..random.below(2))
                        .map(|_| document(random, kind))
                        .collect();
                    // Most levels keep AWS's full-access policy, as real ones do.
                    if level.is_empty() || random.chance(70) {
                        level.push(full_access(kind));
                    }
                    level
                })
                .collect()
        };
        let (scps, rcps) = if own {
            (levels(12, Kind::Identity), levels(12, Kind::Rcp))
        } else {
            Default::default()
        };
        let identity_count = if own { random.below(3) } else { 0 };
        Self {
            action: action.into(),
            resource: resource.into(),
            resource_account: if random.chance(97) { HERE } else { THERE }.into(),
            identity: (0..identity_count)
                .map(|_| document(random, Kind::Identity))
                .collect(),
            boundary: (own && random.chance(18)).then(|| document(random, Kind::Identity)),
            session: (limited && random.chance(18)).then(|| document(random, Kind::Identity)),
            principal,
            context,
            resource_policy,
            trust,
            scps,
            rcps,
        }
    }

    /// Our decision.
    pub(crate) fn decide(&self) -> Verdict {
        let policy = |id: &str, value: &Value, kind| {
            let text = value.to_string();
            let document = Document::parse(&text, kind)
                .unwrap_or_else(|error| panic!("{error}: {}\n{text}", error.developer_text()));
            Policy::new(id, document)
        };
        let level = |kind| {
            move |level: &Vec<Value>| {
                level
                    .iter()
                    .map(|value| policy("level", value, kind))
                    .collect()
            }
        };
        let kind = if self.trust {
            DocumentKind::Trust
        } else {
            DocumentKind::Resource
        };
        let policies = Policies {
            identity: self
                .identity
                .iter()
                .map(|value| policy("identity", value, DocumentKind::Inline))
                .collect(),
            boundary: self
                .boundary
                .as_ref()
                .map(|value| policy("boundary", value, DocumentKind::Inline)),
            session: self
                .session
                .iter()
                .map(|value| policy("session", value, DocumentKind::Session))
                .collect(),
            resource: self
                .resource_policy
                .as_ref()
                .map(|value| policy("resource", value, kind)),
            scps: self.scps.iter().map(level(DocumentKind::Inline)).collect(),
            rcps: self
                .rcps
                .iter()
                .map(level(DocumentKind::Resource))
                .collect(),
        };
        let request = Request {
            principal: self.principal.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            resource_account: self.resource_account.clone(),
            context: self.context(),
        };
        decide(&request, &policies)
    }

    /// The case as the driver of the second engine reads it, on one line.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "principal": self.principal.name(),
            "action": self.action,
            "resource": self.resource,
            "resourceAccount": self.resource_account,
            "context": self.context,
            "identity": self.identity,
            "boundary": self.boundary,
            "session": self.session,
            "resourcePolicy": self.resource_policy,
            "scps": self.scps,
            "rcps": self.rcps,
        })
    }

    /// What the request carries.
    pub(crate) fn context(&self) -> Context {
        self.context
            .iter()
            .map(|(key, value)| (key, value.clone()))
            .collect()
    }
}

fn principal(random: &mut Random, assume: bool) -> Principal {
    let session = |account: &str, role: &str, name: &str| Principal::RoleSession {
        role_arn: role.into(),
        role_id: format!("AROA{account}"),
        session_arn: format!("arn:aws:sts::{account}:assumed-role/{name}/s1"),
    };
    match random.below(100) {
        0..36 => session(HERE, ROLE, "app"),
        36..48 => session(HERE, ROLE_WITH_PATH, "api"),
        48..62 => session(THERE, "arn:aws:iam::444455556666:role/app", "app"),
        62..80 => Principal::User {
            arn: USER.into(),
            id: "AIDAEXAMPLEEXAMPLEANN".into(),
        },
        80..81 => Principal::Root {
            account: HERE.into(),
        },
        81..94 if assume => Principal::Service {
            name: "pods.eks.amazonaws.com".into(),
        },
        81..88 => Principal::Service {
            name: "logs.amazonaws.com".into(),
        },
        88..94 => session(HERE, ROLE, "app"),
        _ if assume => Principal::WebIdentity {
            provider: PROVIDER.into(),
        },
        _ => Principal::FederatedUser {
            arn: "arn:aws:sts::111122223333:federated-user/ann".into(),
            user_arn: Some(USER.into()),
        },
    }
}

fn context(random: &mut Random, principal: &Principal) -> BTreeMap<String, ContextValue> {
    let mut context = BTreeMap::new();
    for (key, values) in SINGLE {
        if random.chance(70) {
            context.insert(
                (*key).to_owned(),
                ContextValue::One(random.pick(values).into()),
            );
        }
    }
    for (key, values) in MANY {
        if random.chance(70) {
            let list = if random.chance(12) {
                Vec::new()
            } else {
                random.some(values, 3)
            };
            context.insert(
                (*key).to_owned(),
                ContextValue::Many(list.into_iter().map(str::to_owned).collect()),
            );
        }
    }
    let arn = match principal {
        Principal::RoleSession { role_arn, .. } => Some(role_arn.clone()),
        Principal::User { .. } | Principal::FederatedUser { .. } | Principal::Root { .. } => {
            Some(principal.name())
        }
        _ => None,
    };
    if let Some(arn) = arn {
        context.insert("aws:PrincipalArn".into(), ContextValue::One(arn));
    }
    context
}

/// Single-valued keys and what requests carry for them.
const SINGLE: &[(&str, &[&str])] = &[
    (
        "aws:PrincipalTag/kubernetes-namespace",
        &["shop", "default", "Shop", ""],
    ),
    ("aws:RequestTag/team", &["a", "b", "A", "a*"]),
    ("aws:username", &["ann", "bob"]),
    ("aws:SourceAccount", &[HERE, THERE]),
    (
        "aws:SourceArn",
        &[
            "arn:aws:eks:us-east-1:111122223333:cluster/demo",
            "arn:aws:eks:us-east-1:444455556666:cluster/prod",
        ],
    ),
    ("aws:SourceIp", &["10.1.2.3", "203.0.113.9", "2001:db8::7"]),
    (
        "aws:CurrentTime",
        &["2026-07-01T12:00:00Z", "2026-01-01T00:00:00Z"],
    ),
    ("aws:SecureTransport", &["true", "false"]),
    ("s3:max-keys", &["10", "100", "9.5"]),
    ("s3:prefix", &["home/ann/", "home/bob/", "shop/", ""]),
    ("test:Blob", &["QmluYXJ5", "b3RoZXI="]),
];

/// Multivalued keys.
const MANY: &[(&str, &[&str])] = &[
    ("aws:TagKeys", &["team", "cost", "env"]),
    (
        "aws:CalledVia",
        &["athena.amazonaws.com", "cloudformation.amazonaws.com"],
    ),
];

/// Operators that fit each other: names, keys, policy values.
type Family = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const FAMILIES: &[Family] = &[
    (
        &[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
        ],
        &[
            "aws:PrincipalTag/kubernetes-namespace",
            "aws:RequestTag/team",
            "aws:SourceAccount",
            "aws:username",
            "aws:requesttag/TEAM",
        ],
        &[
            "shop",
            "default",
            "SHOP",
            "a",
            "A",
            HERE,
            "ann",
            "${aws:username}",
            "${aws:RequestTag/team}",
            "${aws:missing, 'shop'}",
            "a${*}",
        ],
    ),
    (
        &["StringLike", "StringNotLike"],
        &[
            "aws:PrincipalTag/kubernetes-namespace",
            "s3:prefix",
            "aws:RequestTag/team",
            "aws:PrincipalArn",
        ],
        &[
            "sh*",
            "home/${aws:username}/*",
            "?",
            "*",
            "home/*",
            "a${*}",
            "arn:aws:iam::*:role/*",
            "${aws:RequestTag/team}*",
        ],
    ),
    (
        &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        &["aws:SourceArn", "aws:PrincipalArn"],
        &[
            "arn:aws:eks:us-east-1:111122223333:cluster/demo",
            "arn:aws:eks:*:*:cluster/*",
            "arn:aws:eks:us-east-1:${aws:SourceAccount}:cluster/*",
            "arn:aws:iam::*:role/*",
            ROLE,
        ],
    ),
    (
        &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        &["s3:max-keys"],
        &["10", "10.0", "50", "9"],
    ),
    (
        &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        &["aws:CurrentTime"],
        &[
            "2026-07-01T12:00:00Z",
            "2026-03-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
        ],
    ),
    (
        &["Bool"],
        &["aws:SecureTransport"],
        &["true", "false", "True"],
    ),
    (&["BinaryEquals"], &["test:Blob"], &["QmluYXJ5", "YQ=="]),
    (
        &["IpAddress", "NotIpAddress"],
        &["aws:SourceIp"],
        &[
            "10.0.0.0/8",
            "203.0.113.9",
            "2001:db8::/32",
            "203.0.113.0/24",
        ],
    ),
    (
        &["Null"],
        &[
            "aws:PrincipalTag/kubernetes-namespace",
            "aws:TagKeys",
            "aws:username",
            "test:Never",
        ],
        &["true", "false"],
    ),
];

const SET_OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIgnoreCase",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identity,
    Resource,
    Trust,
    Rcp,
}

fn full_access(kind: Kind) -> Value {
    let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if kind == Kind::Rcp {
        statement["Principal"] = json!("*");
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn document(random: &mut Random, kind: Kind) -> Value {
    let mut document = Map::new();
    match random.below(20) {
        0 => {}
        1 => drop(document.insert("Version".into(), json!("2008-10-17"))),
        _ => drop(document.insert("Version".into(), json!("2012-10-17"))),
    }
    let count = 1 + random.below(3);
    let statements: Vec<Value> = (0..count).map(|_| statement(random, kind)).collect();
    document.insert("Statement".into(), statements.into());
    document.into()
}

/// A single entry as a string or as a list of one.
fn listed(random: &mut Random, entries: Vec<&str>) -> Value {
    match entries.as_slice() {
        [one] if random.chance(60) => json!(one),
        _ => json!(entries),
    }
}

fn statement(random: &mut Random, kind: Kind) -> Value {
    let mut statement = Map::new();
    let deny = random.chance(14);
    statement.insert("Effect".into(), json!(if deny { "Deny" } else { "Allow" }));
    if kind == Kind::Trust {
        let actions = random.some(
            &[
                "sts:AssumeRole",
                "sts:TagSession",
                "sts:*",
                "sts:assume*",
                "sts:SetSource?dentity",
            ],
            3,
        );
        statement.insert("Action".into(), listed(random, actions));
    } else {
        let name = if random.chance(8) {
            "NotAction"
        } else {
            "Action"
        };
        let actions = random.some(
            &[
                "*",
                "s3:*",
                "s3:Get*",
                "s3:GetObject",
                "s3:?utObject",
                "sts:*",
                "sts:AssumeRole",
                "sts:TagSession",
                "eks:Describe*",
            ],
            3,
        );
        statement.insert(name.into(), listed(random, actions));
        let name = if random.chance(8) {
            "NotResource"
        } else {
            "Resource"
        };
        let resources = random.some(
            &[
                "*",
                "arn:aws:s3:::invoices/*",
                "arn:aws:s3:::invoices/${aws:username}/*",
                "arn:aws:s3:::invoices/${aws:PrincipalTag/kubernetes-namespace}/*",
                "arn:aws:s3:::*/?",
                "arn:aws:iam::111122223333:role/*",
                "arn:aws:iam::*:role/target",
                "arn:aws:eks:*:*:cluster/${aws:missing, 'demo'}",
            ],
            2,
        );
        statement.insert(name.into(), listed(random, resources));
    }
    match kind {
        Kind::Identity => {}
        Kind::Rcp => drop(statement.insert("Principal".into(), json!("*"))),
        Kind::Resource | Kind::Trust => {
            let not = kind == Kind::Resource && deny && random.chance(25);
            let name = if not { "NotPrincipal" } else { "Principal" };
            statement.insert(name.into(), principals(random, kind));
        }
    }
    if random.chance(40) {
        let mut operators: Map<String, Value> = Map::new();
        for _ in 0..1 + random.below(2) {
            let (operator, key, values) = condition(random);
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys[key] = values;
        }
        statement.insert("Condition".into(), operators.into());
    }
    statement.into()
}

fn principals(random: &mut Random, kind: Kind) -> Value {
    if kind == Kind::Resource && random.chance(10) {
        return json!("*");
    }
    let mut principals = Map::new();
    if random.chance(80) {
        let named = random.some(
            &[
                "*",
                HERE,
                "arn:aws:iam::111122223333:root",
                THERE,
                ROLE,
                ROLE_WITH_PATH,
                "arn:aws:iam::111122223333:role/other/api",
                "arn:aws:iam::444455556666:role/app",
                "arn:aws:sts::111122223333:assumed-role/app/s1",
                "arn:aws:sts::111122223333:assumed-role/app/s2",
                USER,
            ],
            3,
        );
        principals.insert("AWS".into(), listed(random, named));
    }
    if principals.is_empty() || random.chance(20) {
        let named = random.some(
            &[
                "pods.eks.amazonaws.com",
                "ec2.amazonaws.com",
                "logs.amazonaws.com",
            ],
            2,
        );
        principals.insert("Service".into(), listed(random, named));
    }
    if random.chance(20) {
        principals.insert("Federated".into(), json!(PROVIDER));
    }
    principals.into()
}

fn condition(random: &mut Random) -> (String, String, Value) {
    if random.chance(20) {
        let quantifier = random.pick(&["ForAllValues:", "ForAnyValue:"]);
        let suffix = if random.chance(15) { "IfExists" } else { "" };
        let operator = format!("{quantifier}{}{suffix}", random.pick(SET_OPERATORS));
        let key = random.pick(&[
            "aws:TagKeys",
            "aws:CalledVia",
            "aws:tagkeys",
            "aws:RequestTag/team",
        ]);
        let values = random.some(
            &["team", "cost", "TEAM", "te*", "athena.amazonaws.com", "a"],
            3,
        );
        return (operator, key.into(), listed(random, values));
    }
    let (operators, keys, values) = FAMILIES[random.below(FAMILIES.len())];
    let mut operator = random.pick(operators).to_owned();
    if operator != "Null" && random.chance(15) {
        operator.push_str("IfExists");
    }
    let most = if operator.starts_with("Bool") || operator == "Null" {
        1
    } else {
        2
    };
    let values = random.some(values, most);
    (operator, random.pick(keys).into(), listed(random, values))
}
