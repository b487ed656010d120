//! Identity, inline, session, boundary and resource policies.

use crate::{
    document::DocumentKind,
    error::{PolicyError, PolicyFault},
    literal,
    operator::Comparison,
    shape::{Element, Shape, StatementShape, Text},
    texts,
};

use super::field;

/// The checks in the order in which AWS reports them (recorded on managed policies; believed the same for
/// inline ones, which may leave the version out).
pub(super) fn check(source: &str, shape: &Shape, kind: DocumentKind) -> Result<(), PolicyError> {
    let fail = |fault, text: &str, at, field: String, detail: String| {
        Err(PolicyError::new(source, fault, text, at, field, detail))
    };

    let current = shape
        .version
        .as_ref()
        .is_some_and(|version| version.text == "2012-10-17");
    if !current && matches!(kind, DocumentKind::Identity | DocumentKind::Boundary) {
        let (at, detail) = match &shape.version {
            None => (0, "the document has no Version".into()),
            Some(version) => (version.at, format!("{:?} is the old version", version.text)),
        };
        return fail(
            PolicyFault::Version,
            texts::VERSION,
            at,
            "Version".into(),
            detail,
        );
    }

    let resource_fault = legacy(source, shape)?;

    let mut sids: Vec<&str> = Vec::new();
    for (index, statement) in shape.statements.iter().enumerate() {
        if let Some(sid) = &statement.sid
            && !sid.text.is_empty()
        {
            if sids.contains(&sid.text.as_str()) {
                let detail = format!("{:?} stands twice", sid.text);
                return fail(
                    PolicyFault::Sid,
                    texts::DUPLICATE_SID,
                    sid.at,
                    field(index, "Sid"),
                    detail,
                );
            }
            sids.push(&sid.text);
        }
    }

    for (index, statement) in shape.statements.iter().enumerate() {
        if statement
            .actions
            .as_ref()
            .is_none_or(|actions| actions.entries.is_empty())
        {
            let detail = "the statement names no action".into();
            return fail(
                PolicyFault::Action,
                texts::NO_ACTION,
                statement.at,
                field(index, "Action"),
                detail,
            );
        }
    }

    if let Some(fault) = resource_fault {
        return Err(fault);
    }

    for (index, statement) in shape.statements.iter().enumerate() {
        for action in statement
            .actions
            .iter()
            .flat_map(|actions| &actions.entries)
        {
            if let Some((text, detail)) = action_fault(&action.text) {
                return fail(
                    PolicyFault::Action,
                    &text,
                    action.at,
                    field(index, "Action"),
                    detail,
                );
            }
        }
    }

    for (index, statement) in shape.statements.iter().enumerate() {
        if statement
            .resources
            .as_ref()
            .is_none_or(|resources| resources.entries.is_empty())
        {
            let detail = "the statement names no resource".into();
            return fail(
                PolicyFault::Resource,
                texts::NO_RESOURCE,
                statement.at,
                field(index, "Resource"),
                detail,
            );
        }
    }

    for (index, statement) in shape.statements.iter().enumerate() {
        let wants = kind == DocumentKind::Resource;
        match &statement.principals {
            Some(principals) if !wants => {
                let detail = "this kind of policy belongs to its principal and names none".into();
                let name = principal_field(index, principals.not);
                return fail(
                    PolicyFault::Principal,
                    texts::HAS_PRINCIPAL,
                    principals.at,
                    name,
                    detail,
                );
            }
            None if wants => {
                let detail = "a resource policy says whom it speaks of".into();
                let name = field(index, "Principal");
                return fail(
                    PolicyFault::Principal,
                    texts::RESOURCE_NO_PRINCIPAL,
                    statement.at,
                    name,
                    detail,
                );
            }
            _ => {}
        }
    }
    Ok(())
}

fn principal_field(index: usize, not: bool) -> String {
    field(index, if not { "NotPrincipal" } else { "Principal" })
}

/// What AWS calls legacy parsing. Returns the fault of a resource that is to be reported later: a
/// resource with such a fault hides the colon count of its neighbours.
fn legacy(source: &str, shape: &Shape) -> Result<Option<PolicyError>, PolicyError> {
    let fail = |fault, at, field: String, detail: String| {
        Err(PolicyError::new(
            source,
            fault,
            texts::LEGACY,
            at,
            field,
            detail,
        ))
    };
    for (index, statement) in shape.statements.iter().enumerate() {
        if !matches!(statement.effect.text.as_str(), "Allow" | "Deny") {
            let detail = format!("{:?} is not in the right case", statement.effect.text);
            return fail(
                PolicyFault::Effect,
                statement.effect.at,
                field(index, "Effect"),
                detail,
            );
        }
        if let Some((at, key, value)) = bad_date(statement) {
            let detail = format!("{value:?} of {key} is no date");
            return fail(
                PolicyFault::Condition,
                at,
                field(index, "Condition"),
                detail,
            );
        }
    }
    let mut later = None;
    for not in [false, true] {
        for (index, statement) in shape.statements.iter().enumerate() {
            let Some(resources) = statement
                .resources
                .as_ref()
                .filter(|resources| resources.not == not)
            else {
                continue;
            };
            let name = field(index, if not { "NotResource" } else { "Resource" });
            if let Some(fault) = resources_fault(source, resources, &name) {
                later = Some(fault);
            }
            if later.is_some() {
                continue;
            }
            let few_colons = |resource: &&Text| {
                let text = resource.text.as_str();
                text != "*"
                    && ((text.matches(':').count() < 5 && text.contains("::"))
                        || text.split(':').nth(2) == Some(""))
            };
            if let Some(resource) = resources.entries.iter().find(few_colons) {
                let detail = format!("{:?} is no complete ARN", resource.text);
                return fail(PolicyFault::Resource, resource.at, name, detail);
            }
        }
    }
    Ok(later)
}

fn bad_date(statement: &StatementShape) -> Option<(usize, &str, &str)> {
    statement
        .conditions
        .iter()
        .filter(|condition| matches!(condition.operator.comparison, Comparison::Date(_)))
        .find_map(|condition| {
            let bad = condition
                .values
                .iter()
                .find(|value| literal::date(value).is_none())?;
            Some((condition.at, condition.key.as_str(), bad.as_str()))
        })
}

/// The fault of the last element in reverse order, which is the one AWS reports (recorded).
fn resources_fault(source: &str, resources: &Element<Text>, field: &str) -> Option<PolicyError> {
    let mut sorted: Vec<&Text> = resources.entries.iter().collect();
    sorted.sort_by(|a, b| a.text.cmp(&b.text));
    sorted.into_iter().find_map(|resource| {
        let text = resource_fault(&resource.text)?;
        let detail = format!("resource {:?}", resource.text);
        Some(PolicyError::new(
            source,
            PolicyFault::Resource,
            text,
            resource.at,
            field,
            detail,
        ))
    })
}

fn resource_fault(resource: &str) -> Option<String> {
    if resource == "*" {
        return None;
    }
    let Some((_, rest)) = resource.split_once(':') else {
        return Some(texts::not_an_arn(resource));
    };
    let (partition, rest) = match rest.split_once(':') {
        Some((partition, rest)) => (partition, Some(rest)),
        None => (rest, None),
    };
    if !matches!(partition, "aws" | "aws-cn" | "aws-us-gov") {
        // AWS prints what it understood: missing parts are stars, the rest is one part.
        let mut parts = rest.unwrap_or("").splitn(4, ':');
        let service = match (parts.next().unwrap_or(""), rest) {
            ("", None | Some("")) => "*",
            (service, _) => service,
        };
        let mut part = || parts.next().unwrap_or("*");
        let arn = format!("arn:{partition}:{service}:{}:{}:{}", part(), part(), part());
        return Some(texts::bad_partition(partition, &arn));
    }
    let Some(rest) = rest else {
        return Some(texts::SERVICE_PART.into());
    };
    let (service, rest) = rest.split_once(':').unwrap_or((rest, ""));
    if service.contains(['*', '?']) {
        return Some(texts::SERVICE_PART.into());
    }
    if matches!(service, "iam" | "s3") && !rest.starts_with(':') {
        return Some(texts::has_region(service, resource));
    }
    if service == "iam" {
        let path = rest.splitn(3, ':').nth(2).unwrap_or("");
        let known = path == "*"
            || path == "root"
            || texts::IAM_KINDS.iter().any(|kind| path.starts_with(kind));
        // A star may end the kind (`role*`), as in AWS's own documentation.
        let open = path.split('*').next().is_some_and(|head| {
            path.contains('*') && texts::IAM_KINDS.iter().any(|kind| kind.starts_with(head))
        });
        if !known && !open {
            return Some(texts::IAM_PATH.into());
        }
    }
    None
}

fn action_fault(action: &str) -> Option<(String, String)> {
    if action == "*" {
        return None;
    }
    let Some((service, name)) = action.split_once(':') else {
        return Some((
            texts::ACTION_PREFIX.into(),
            format!("{action:?} has no service in front"),
        ));
    };
    if name.contains(':') {
        return Some((
            texts::ACTION_COLON.into(),
            format!("{action:?} has more than one colon"),
        ));
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.');
    if service != "*" && !service.chars().all(plain) {
        return Some((
            texts::bad_vendor(service),
            format!("{service:?} is no service"),
        ));
    }
    None
}
