//! From JSON to the grammar of a policy: which keys and types may stand where. What the values mean is
//! judged later, since AWS reports a fault of shape before any other.

use crate::{
    error::PolicyFault,
    json::{Member, Node, Value},
    operator::Operator,
    principal::PrincipalType,
};

/// A text and where its string begins and ends in the source.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) at: usize,
    pub(crate) end: usize,
}

/// A policy whose keys and types are right.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) version: Option<Text>,
    pub(crate) id: Option<String>,
    pub(crate) statements: Vec<StatementShape>,
}

/// One element in its plain or its `Not` form.
#[derive(Debug)]
pub(crate) struct Element<T> {
    pub(crate) not: bool,
    pub(crate) at: usize,
    pub(crate) entries: Vec<T>,
}

#[derive(Debug)]
pub(crate) struct StatementShape {
    pub(crate) at: usize,
    pub(crate) end: usize,
    pub(crate) sid: Option<Text>,
    pub(crate) effect: Text,
    pub(crate) principals: Option<Element<(PrincipalType, Text)>>,
    pub(crate) actions: Option<Element<Text>>,
    pub(crate) resources: Option<Element<Text>>,
    pub(crate) conditions: Vec<ConditionShape>,
}

#[derive(Debug)]
pub(crate) struct ConditionShape {
    pub(crate) operator: Operator,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) at: usize,
    pub(crate) values: Vec<String>,
}

/// A fault of shape. Trust policies have a text of their own for some of them.
#[derive(Debug)]
pub(crate) struct ShapeFault {
    pub(crate) what: What,
    pub(crate) fault: PolicyFault,
    pub(crate) at: usize,
    pub(crate) field: String,
    pub(crate) detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Version,
    NoStatement,
    NoEffect,
    Other,
}

type Result<T> = std::result::Result<T, ShapeFault>;

fn fault(
    fault: PolicyFault,
    at: usize,
    field: impl Into<String>,
    detail: impl Into<String>,
) -> ShapeFault {
    ShapeFault {
        what: What::Other,
        fault,
        at,
        field: field.into(),
        detail: detail.into(),
    }
}

fn wrong_type(node: &Node, field: &str, wanted: &str) -> ShapeFault {
    fault(
        PolicyFault::Syntax,
        node.at,
        field,
        format!("expected {wanted}, found {}", node.value.noun()),
    )
}

fn text(node: Node, field: &str) -> Result<Text> {
    match node.value {
        Value::Text(text) => Ok(Text {
            text,
            at: node.at,
            end: node.end,
        }),
        _ => Err(wrong_type(&node, field, "a string")),
    }
}

/// A string or a list of strings.
fn texts(node: Node, field: &str) -> Result<Vec<Text>> {
    match node.value {
        Value::List(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| text(item, &format!("{field}[{index}]")))
            .collect(),
        Value::Text(_) => Ok(vec![text(node, field)?]),
        _ => Err(wrong_type(&node, field, "a string or a list of strings")),
    }
}

pub(crate) fn read(root: Node) -> Result<Shape> {
    let Value::Object(members) = root.value else {
        return Err(wrong_type(&root, "", "an object"));
    };
    let mut shape = Shape {
        version: None,
        id: None,
        statements: Vec::new(),
    };
    let mut statement = None;
    for Member { name, at, node } in members {
        match name.as_str() {
            "Version" => {
                let version = text(node, "Version")?;
                if !matches!(version.text.as_str(), "2012-10-17" | "2008-10-17") {
                    let detail = format!(
                        "{:?} is no version; 2012-10-17 is the current one",
                        version.text
                    );
                    let mut bad = fault(PolicyFault::Version, version.at, "Version", detail);
                    bad.what = What::Version;
                    return Err(bad);
                }
                shape.version = Some(version);
            }
            "Id" => shape.id = Some(text(node, "Id")?.text),
            "Statement" => statement = Some(node),
            _ => {
                let detail = unknown_key(&name, &["Version", "Id", "Statement"]);
                return Err(fault(PolicyFault::Syntax, at, name, detail));
            }
        }
    }
    let no_statement = |at, detail: &str| ShapeFault {
        what: What::NoStatement,
        fault: PolicyFault::Syntax,
        at,
        field: "Statement".into(),
        detail: detail.into(),
    };
    match statement {
        None => return Err(no_statement(root.at, "the document has no Statement")),
        Some(Node {
            value: Value::List(items),
            at,
            ..
        }) => {
            if items.is_empty() {
                return Err(no_statement(at, "the list of statements is empty"));
            }
            for (index, item) in items.into_iter().enumerate() {
                shape
                    .statements
                    .push(read_statement(item, &format!("Statement[{index}]"))?);
            }
        }
        Some(node) => shape.statements.push(read_statement(node, "Statement")?),
    }
    Ok(shape)
}

const STATEMENT_KEYS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

fn read_statement(node: Node, field: &str) -> Result<StatementShape> {
    let (start, end) = (node.at, node.end);
    let Value::Object(members) = node.value else {
        return Err(wrong_type(&node, field, "an object"));
    };
    let mut sid = None;
    let mut effect = None;
    let mut principals = None;
    let mut actions = None;
    let mut resources = None;
    let mut conditions = Vec::new();
    for Member { name, at, node } in members {
        let path = format!("{field}.{name}");
        let both = |other: &str| {
            fault(
                PolicyFault::Syntax,
                at,
                path.clone(),
                format!("stands beside {other}"),
            )
        };
        let not = name.starts_with("Not");
        match name.as_str() {
            "Sid" => sid = Some(text(node, &path)?),
            "Effect" => effect = Some(read_effect(node, &path)?),
            "Principal" | "NotPrincipal" if principals.is_some() => {
                return Err(both("Principal or NotPrincipal"));
            }
            "Action" | "NotAction" if actions.is_some() => return Err(both("Action or NotAction")),
            "Resource" | "NotResource" if resources.is_some() => {
                return Err(both("Resource or NotResource"));
            }
            "Principal" | "NotPrincipal" => {
                principals = Some(Element {
                    not,
                    at,
                    entries: read_principals(node, &path)?,
                });
            }
            "Action" | "NotAction" => {
                actions = Some(Element {
                    not,
                    at,
                    entries: texts(node, &path)?,
                });
            }
            "Resource" | "NotResource" => {
                resources = Some(Element {
                    not,
                    at,
                    entries: texts(node, &path)?,
                });
            }
            "Condition" => conditions = read_conditions(node, &path)?,
            _ => {
                let detail = unknown_key(&name, &STATEMENT_KEYS);
                return Err(fault(PolicyFault::Syntax, at, path, detail));
            }
        }
    }
    let Some(effect) = effect else {
        return Err(ShapeFault {
            what: What::NoEffect,
            fault: PolicyFault::Effect,
            at: start,
            field: format!("{field}.Effect"),
            detail: "the statement has no Effect".into(),
        });
    };
    Ok(StatementShape {
        at: start,
        end,
        sid,
        effect,
        principals,
        actions,
        resources,
        conditions,
    })
}

fn read_effect(node: Node, path: &str) -> Result<Text> {
    let effect = text(node, path)?;
    if effect.text.eq_ignore_ascii_case("allow") || effect.text.eq_ignore_ascii_case("deny") {
        return Ok(effect);
    }
    let detail = format!("{:?} is no effect; expected Allow or Deny", effect.text);
    Err(fault(PolicyFault::Effect, effect.at, path, detail))
}

fn read_principals(node: Node, path: &str) -> Result<Vec<(PrincipalType, Text)>> {
    match node.value {
        Value::Text(ref star) if star == "*" => {
            Ok(vec![(PrincipalType::Everyone, text(node, path)?)])
        }
        Value::Object(members) => {
            let mut entries = Vec::new();
            for Member { name, at, node } in members {
                let path = format!("{path}.{name}");
                let Some(kind) = PrincipalType::parse(&name) else {
                    let detail =
                        unknown_key(&name, &["AWS", "Service", "Federated", "CanonicalUser"]);
                    return Err(fault(PolicyFault::Principal, at, path, detail));
                };
                entries.extend(texts(node, &path)?.into_iter().map(|text| (kind, text)));
            }
            Ok(entries)
        }
        _ => {
            let mut wrong = wrong_type(
                &node,
                path,
                "\"*\" or an object such as {\"Service\": \"pods.eks.amazonaws.com\"}",
            );
            wrong.fault = PolicyFault::Principal;
            Err(wrong)
        }
    }
}

fn read_conditions(node: Node, path: &str) -> Result<Vec<ConditionShape>> {
    let Value::Object(operators) = node.value else {
        return Err(wrong_type(&node, path, "an object of operators"));
    };
    let mut conditions = Vec::new();
    for Member { name, at, node } in operators {
        let path = format!("{path}.{name}");
        let Value::Object(keys) = node.value else {
            return Err(wrong_type(&node, &path, "an object of condition keys"));
        };
        // AWS accepts an unknown operator that holds nothing (recorded).
        let Some(operator) = Operator::parse(&name) else {
            if keys.is_empty() {
                continue;
            }
            return Err(fault(
                PolicyFault::Condition,
                at,
                path,
                format!("{name:?} is no condition operator"),
            ));
        };
        for Member {
            name: key,
            at,
            node,
        } in keys
        {
            let values = read_values(node, &format!("{path}.{key}"))?;
            conditions.push(ConditionShape {
                operator,
                name: name.clone(),
                key,
                at,
                values,
            });
        }
    }
    Ok(conditions)
}

/// Strings; numbers and booleans may stand without quotes (docs).
fn read_values(node: Node, path: &str) -> Result<Vec<String>> {
    match node.value {
        Value::Text(text) => Ok(vec![text]),
        Value::Number(number) => Ok(vec![number]),
        Value::Bool(value) => Ok(vec![value.to_string()]),
        Value::List(items) => {
            let mut values = Vec::new();
            for (index, item) in items.into_iter().enumerate() {
                if matches!(item.value, Value::List(_)) {
                    return Err(wrong_type(&item, &format!("{path}[{index}]"), "a string"));
                }
                values.extend(read_values(item, &format!("{path}[{index}]"))?);
            }
            Ok(values)
        }
        _ => Err(wrong_type(&node, path, "a string or a list of strings")),
    }
}

/// `unknown key "Principle"; did you mean "Principal"?`
fn unknown_key(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .min_by_key(|known| distance(name, known))
        .filter(|known| distance(name, known) <= 3);
    match nearest {
        Some(nearest) => format!("unknown key {name:?}; did you mean {nearest:?}?"),
        None => format!("unknown key {name:?}; expected one of {}", known.join(", ")),
    }
}

/// Levenshtein distance without regard to case; long names are far from everything.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    if a.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let change = corner + usize::from(left != right);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
