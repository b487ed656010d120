//! Trust policies. That a named role or user exists is the cloud's to check.

use crate::{
    error::{PolicyError, PolicyFault},
    pattern::{Case, Pattern, Syntax},
    principal::{PrincipalType, is_account},
    shape::{Shape, StatementShape, Text},
    texts,
};

use super::field;

/// The actions that a trust policy may name (docs).
const ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sts:SetContext",
];

pub(super) fn check(source: &str, shape: &Shape) -> Result<(), PolicyError> {
    let mut sids: Vec<&str> = Vec::new();
    for (index, statement) in shape.statements.iter().enumerate() {
        let fail = |fault, text: &str, at, name: &str, detail: String| {
            Err(PolicyError::new(
                source,
                fault,
                text,
                at,
                field(index, name),
                detail,
            ))
        };
        if !matches!(statement.effect.text.as_str(), "Allow" | "Deny") {
            let detail = format!("{:?} is not in the right case", statement.effect.text);
            return fail(
                PolicyFault::Effect,
                texts::TRUST_SYNTAX,
                statement.effect.at,
                "Effect",
                detail,
            );
        }
        if let Some(sid) = &statement.sid
            && !sid.text.is_empty()
        {
            if sids.contains(&sid.text.as_str()) {
                let detail = format!("{:?} stands twice", sid.text);
                return fail(
                    PolicyFault::Sid,
                    texts::TRUST_DUPLICATE_SID,
                    sid.at,
                    "Sid",
                    detail,
                );
            }
            sids.push(&sid.text);
        }
        actions(source, index, statement)?;
        if let Some(resources) = &statement.resources {
            let (text, name) = if resources.not {
                (texts::TRUST_NOT_RESOURCE, "NotResource")
            } else {
                (texts::TRUST_RESOURCE, "Resource")
            };
            let detail = "the resource of a trust policy is its role".into();
            return fail(PolicyFault::Resource, text, resources.at, name, detail);
        }
        principals(source, index, statement)?;
    }
    Ok(())
}

fn actions(source: &str, index: usize, statement: &StatementShape) -> Result<(), PolicyError> {
    let fail = |text: &str, at, detail: String| {
        Err(PolicyError::new(
            source,
            PolicyFault::Action,
            text,
            at,
            field(index, "Action"),
            detail,
        ))
    };
    let Some(actions) = statement
        .actions
        .as_ref()
        .filter(|actions| !actions.entries.is_empty())
    else {
        return fail(
            texts::TRUST_NO_ACTION,
            statement.at,
            "the statement names no action".into(),
        );
    };
    if actions.not {
        return fail(
            texts::TRUST_ACTIONS,
            actions.at,
            "NotAction reaches beyond STS".into(),
        );
    }
    match actions
        .entries
        .iter()
        .find(|action| !admitted(&action.text))
    {
        Some(action) => fail(
            texts::TRUST_ACTIONS,
            action.at,
            format!("{:?} is none", action.text),
        ),
        None => Ok(()),
    }
}

fn admitted(action: &str) -> bool {
    let sts = action
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("sts:"));
    let pattern = Pattern::parse(
        action,
        Syntax {
            wildcards: true,
            variables: false,
        },
    );
    let nothing = crate::context::Context::new();
    sts && ACTIONS
        .iter()
        .any(|known| pattern.matches(known, &nothing, Case::Ignored))
}

fn principals(source: &str, index: usize, statement: &StatementShape) -> Result<(), PolicyError> {
    let fail = |text: &str, at, name: &str, detail: String| {
        Err(PolicyError::new(
            source,
            PolicyFault::Principal,
            text,
            at,
            field(index, name),
            detail,
        ))
    };
    let Some(principals) = &statement.principals else {
        return fail(
            texts::TRUST_NO_PRINCIPAL,
            statement.at,
            "Principal",
            "nobody is trusted".into(),
        );
    };
    if principals.not {
        let text = if statement.effect.text == "Allow" {
            texts::TRUST_ALLOW_NOT_PRINCIPAL
        } else {
            texts::TRUST_NOT_PRINCIPAL
        };
        return fail(
            text,
            principals.at,
            "NotPrincipal",
            "a trust policy names whom it trusts".into(),
        );
    }
    if principals.entries.is_empty() {
        return fail(
            texts::TRUST_EMPTY_PRINCIPAL,
            principals.at,
            "Principal",
            "nobody is trusted".into(),
        );
    }
    for (kind, Text { text, at, .. }) in &principals.entries {
        if *kind == PrincipalType::Everyone {
            let detail = "write {\"AWS\": \"*\"} to trust everyone".into();
            return fail(texts::TRUST_STAR, *at, "Principal", detail);
        }
        if let Some(detail) = principal_fault(*kind, text) {
            let answer = texts::invalid_principal(kind.upper(), text);
            return fail(&answer, *at, "Principal", detail);
        }
    }
    Ok(())
}

/// What is wrong with the form of a principal (forms: docs; whom AWS knows as a service: inferred).
fn principal_fault(kind: PrincipalType, text: &str) -> Option<String> {
    match kind {
        PrincipalType::Aws if text == "*" || is_account(text) => None,
        PrincipalType::Aws if text.starts_with("AROA") || text.starts_with("AIDA") => None,
        PrincipalType::Aws => {
            if text.contains(['*', '?']) {
                return Some(
                    "no wildcard inside an ARN; use the condition key aws:PrincipalArn".into(),
                );
            }
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let kinds: &[&str] = match parts.as_slice() {
                ["arn", _, "iam", "", account, "root"] if is_account(account) => return None,
                ["arn", _, "iam", "", account, _] if is_account(account) => &["role/", "user/"],
                ["arn", _, "sts", "", account, _] if is_account(account) => {
                    &["assumed-role/", "federated-user/"]
                }
                _ => &[],
            };
            let named = parts.get(5).is_some_and(|resource| {
                kinds
                    .iter()
                    .any(|kind| resource.len() > kind.len() && resource.starts_with(kind))
            });
            (!named).then(|| "expected *, an account, or the ARN of a role, user or session".into())
        }
        PrincipalType::Service => {
            let plain = text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
            let known = [
                "amazonaws.com",
                "amazonaws.com.cn",
                "aws.internal",
                "amazon.com",
                "aws.com",
            ];
            let ends = known.iter().any(|end| {
                text.strip_suffix(end)
                    .and_then(|head| head.strip_suffix('.'))
                    .is_some_and(|head| !head.is_empty())
            });
            (!plain || !ends)
                .then(|| "expected a service such as pods.eks.amazonaws.com, in lower case".into())
        }
        PrincipalType::Federated => {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let arn = matches!(parts.as_slice(), ["arn", _, "iam", "", account, resource]
                if is_account(account) && (resource.starts_with("oidc-provider/") || resource.starts_with("saml-provider/")));
            let built_in = [
                "cognito-identity.amazonaws.com",
                "accounts.google.com",
                "www.amazon.com",
                "graph.facebook.com",
            ];
            (!arn && !built_in.contains(&text))
                .then(|| "expected the ARN of an OIDC or SAML provider".into())
        }
        PrincipalType::CanonicalUser | PrincipalType::Everyone => {
            Some("not allowed in a trust policy".into())
        }
    }
}
