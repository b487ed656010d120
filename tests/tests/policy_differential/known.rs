//! Known differences between the engines, each with its reason.
//!
//! A difference is a rewriting of a case: what the second engine makes of it. It explains a disagreement
//! only when our engine, given the rewritten case, answers as the second engine did. So a difference
//! cannot hide an unrelated one.

use emu_policy::{Context, ContextValue, DecidedBy, Decision, Effect, Principal, Verdict};
use serde_json::{Value, json};

use crate::cases::{Case, HERE, PROVIDER};

/// A difference: its reason, and the case as the second engine reads it.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    rewrite: fn(&mut Case, &Verdict),
}

/// The difference, or the several together, that turn our answer into theirs.
pub(crate) fn explain(
    case: &Case,
    verdict: &Verdict,
    theirs: &Result<Decision, String>,
) -> Option<Vec<&'static str>> {
    let theirs = theirs.as_ref().ok()?;
    let agrees = |case: &Case| case.decide().decision == *theirs;
    for difference in DIFFERENCES {
        let mut rewritten = case.clone();
        (difference.rewrite)(&mut rewritten, verdict);
        if agrees(&rewritten) {
            return Some(vec![difference.name]);
        }
    }
    // Several at once: keep each one that changes the case.
    let mut rewritten = case.clone();
    let mut names = Vec::new();
    for difference in DIFFERENCES {
        let before = rewritten.clone();
        let verdict = rewritten.decide();
        (difference.rewrite)(&mut rewritten, &verdict);
        if rewritten != before {
            names.push(difference.name);
        }
    }
    agrees(&rewritten).then_some(names)
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "root user",
        why: "they know no root user; AWS lets it do everything in its account unless an organisation forbids (docs)",
        rewrite: |case, _| {
            if let Principal::Root { account } = &case.principal {
                case.principal = user(&format!("arn:aws:iam::{account}:root"));
            }
        },
    },
    Difference {
        name: "web identity",
        why: "they count an OIDC provider as a principal of its account; AWS knows a web identity by Federated alone (docs)",
        rewrite: |case, _| {
            if matches!(case.principal, Principal::WebIdentity { .. }) {
                let stand_in = format!("arn:aws:iam::{HERE}:user/provider");
                case.principal = user(&stand_in);
                for statement in statements(case) {
                    if let Some(principals) = statement
                        .get_mut("Principal")
                        .and_then(Value::as_object_mut)
                        && principals
                            .remove("Federated")
                            .is_some_and(|federated| federated == PROVIDER)
                    {
                        push(principals.entry("AWS").or_insert(json!([])), &stand_in);
                    }
                }
            }
        },
    },
    Difference {
        name: "role path",
        why: "they compare the last part of a role's path only; two roles of one name under two paths cannot exist in one account, but a policy may name the wrong path (docs: the ARN includes the path)",
        rewrite: |case, _| {
            if let Principal::RoleSession { role_arn, .. } = &case.principal
                && role_arn.ends_with("role/team/api")
            {
                for statement in statements(case) {
                    for name in ["Principal", "NotPrincipal"] {
                        if let Some(aws) = statement
                            .get_mut(name)
                            .and_then(|named| named.get_mut("AWS"))
                        {
                            replace(aws, ":role/other/api", ":role/team/api");
                        }
                    }
                }
            }
        },
    },
    Difference {
        name: "version 2008-10-17",
        why: "they replace variables in every version; AWS takes them for plain text before 2012-10-17 (docs)",
        rewrite: |case, _| {
            for document in documents(case) {
                document["Version"] = json!("2012-10-17");
            }
        },
    },
    Difference {
        name: "NotResource with a variable without value",
        why: "they let such a statement match nothing; AWS calls the value null, which no resource is like (docs on variables; for NotResource inferred)",
        rewrite: |case, _| {
            let context = case.context();
            remove_statements(case, |statement| {
                values(&statement["NotResource"]).any(|resource| unresolved(resource, &context))
            });
        },
    },
    Difference {
        name: "negated operator against a variable without value",
        why: "they let the condition fail; AWS: a negated operator matches against a null value (docs on variables)",
        rewrite: |case, _| {
            let context = case.context();
            remove_statements(case, |statement| {
                conditions(statement).any(|(operator, key, wanted)| {
                    // An absent key is decided before any value is looked at.
                    operator.contains("Not")
                        && case_has(&context, key)
                        && wanted.iter().any(|value| unresolved(value, &context))
                })
            });
        },
    },
    Difference {
        name: "address family",
        why: "they let NotIpAddress fail for an address of the other family; AWS: every address but the listed ones (docs)",
        rewrite: |case, _| {
            let Some(ContextValue::One(address)) = case.context().get("aws:SourceIp").cloned()
            else {
                return;
            };
            remove_statements(case, |statement| {
                conditions(statement).any(|(operator, _, wanted)| {
                    operator.starts_with("NotIpAddress")
                        && wanted
                            .iter()
                            .any(|network| network.contains(':') != address.contains(':'))
                })
            });
        },
    },
    Difference {
        name: "Null on an empty list",
        why: "they call a multivalued key present when its list is empty; AWS: Null is for keys without a value (docs: Null guards ForAllValues against empty sets)",
        rewrite: |case, _| {
            let context = case.context();
            for statement in statements(case) {
                let Some(null) = statement
                    .get_mut("Condition")
                    .and_then(|condition| condition.get_mut("Null"))
                else {
                    continue;
                };
                let Some(keys) = null.as_object_mut() else {
                    continue;
                };
                let empty: Vec<String> = keys
                    .keys()
                    .filter(|key| {
                        context
                            .get(key)
                            .is_some_and(|value| value.values().is_empty())
                    })
                    .cloned()
                    .collect();
                for key in empty {
                    // A key that is always there.
                    let wanted = keys.remove(&key).unwrap_or_default();
                    keys.insert("test:Always".into(), wanted);
                }
            }
            case.context
                .insert("test:Always".into(), ContextValue::One("here".into()));
        },
    },
    Difference {
        name: "${*} under StringEquals",
        why: "they replace it under StringLike only; AWS lists it among the variables (docs)",
        rewrite: |case, _| {
            each_value(case, |operator, value| {
                if operator.contains("Equals") && !operator.contains("Arn") {
                    *value = value.replace("${*}", "${*}*}").replace("${*}*}", "${$}{*}");
                }
            });
        },
    },
    Difference {
        name: "variable before the last colon of an ARN",
        why: "they split an ARN at the colons inside ${...}; AWS allows variables in the values of ARN operators (docs)",
        rewrite: |case, _| {
            each_value(case, |operator, value| {
                if operator.contains("Arn") && value.contains(":${") {
                    *value = "arn:none:none:none:none:none".into();
                }
            });
        },
    },
    Difference {
        name: "ForAnyValue with IfExists",
        why: "they let it fail for an absent key; the documentation says both that ForAnyValue is false and that IfExists is true, we follow IfExists",
        rewrite: |case, _| {
            let context = case.context();
            remove_statements(case, |statement| {
                conditions(statement).any(|(operator, key, _)| {
                    operator.starts_with("ForAnyValue:")
                        && operator.ends_with("IfExists")
                        && !case_has(&context, key)
                })
            });
        },
    },
    Difference {
        name: "NotPrincipal",
        why: "they spare a caller when one of its names is listed; AWS wants account, role and session listed (docs)",
        rewrite: |case, _| {
            remove_statements(case, |statement| statement.get("NotPrincipal").is_some());
        },
    },
    Difference {
        name: "boundary under a grant to everyone",
        why: "they let Principal \"*\" pass a silent boundary; AWS limits it like a grant to the role, unless aws:PrincipalArn names the caller (docs)",
        rewrite: |case, verdict| {
            let by_everyone = granting(case, verdict).any(|statement| {
                statement["Principal"] == "*"
                    || values(&statement["Principal"]["AWS"]).any(|value| value == "*")
            });
            if by_everyone
                && let Some(boundary) = &mut case.boundary
                && let Some(statements) = boundary["Statement"].as_array_mut()
            {
                statements.push(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
            }
        },
    },
    Difference {
        name: "session policy under a grant to the session",
        why: "they let a silent session policy limit every grant; AWS adds what the resource grants to the session's own ARN (docs)",
        rewrite: |case, verdict| {
            let silent = verdict
                .layer(DecidedBy::SessionPolicy)
                .is_some_and(|layer| layer.decision != Decision::Allow);
            let caller = verdict.principal.as_str();
            let named = granting(case, verdict).any(|statement| {
                values(&statement["Principal"]["AWS"]).any(|value| value == caller)
                    || conditions(statement)
                        .any(|(_, key, _)| key.eq_ignore_ascii_case("aws:PrincipalArn"))
            });
            if silent && named {
                remove_statements(case, |statement| statement["Effect"] == "Allow");
            }
        },
    },
];

/// The statements of the resource's policy that matched and allow.
fn granting<'a>(case: &'a Case, verdict: &'a Verdict) -> impl Iterator<Item = &'a Value> {
    verdict
        .layer(DecidedBy::Trust)
        .or(verdict.layer(DecidedBy::ResourcePolicy))
        .into_iter()
        .flat_map(|layer| &layer.matched)
        .filter(|matched| matched.effect == Effect::Allow)
        .filter_map(|matched| Some(&case.resource_policy.as_ref()?["Statement"][matched.statement]))
}

fn user(arn: &str) -> Principal {
    Principal::User {
        arn: arn.into(),
        id: "AIDAEXAMPLEEXAMPLEXYZ".into(),
    }
}

fn documents(case: &mut Case) -> impl Iterator<Item = &mut Value> {
    case.identity
        .iter_mut()
        .chain(&mut case.boundary)
        .chain(&mut case.session)
        .chain(&mut case.resource_policy)
        .chain(case.scps.iter_mut().flatten())
        .chain(case.rcps.iter_mut().flatten())
}

fn statements(case: &mut Case) -> impl Iterator<Item = &mut Value> {
    documents(case)
        .filter_map(|document| document["Statement"].as_array_mut())
        .flatten()
}

/// Makes statements match nothing. They stay, since a document without statements is none.
fn remove_statements(case: &mut Case, mut gone: impl FnMut(&Value) -> bool) {
    for statement in statements(case) {
        if gone(statement) {
            statement["Condition"] = json!({"Null": {"test:Never": "false"}});
        }
    }
}

fn values(value: &Value) -> impl Iterator<Item = &str> {
    let list = value
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_else(|| std::slice::from_ref(value));
    list.iter().filter_map(Value::as_str)
}

fn conditions(statement: &Value) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    statement
        .get("Condition")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .flat_map(|(operator, keys)| {
            keys.as_object()
                .into_iter()
                .flatten()
                .map(move |(key, wanted)| {
                    (operator.as_str(), key.as_str(), values(wanted).collect())
                })
        })
}

fn each_value(case: &mut Case, mut change: impl FnMut(&str, &mut String)) {
    for statement in statements(case) {
        let Some(operators) = statement
            .get_mut("Condition")
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        for (operator, keys) in operators {
            for wanted in keys
                .as_object_mut()
                .into_iter()
                .flat_map(|keys| keys.values_mut())
            {
                match wanted {
                    Value::String(value) => change(operator, value),
                    Value::Array(list) => {
                        for value in list {
                            if let Value::String(value) = value {
                                change(operator, value);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

fn case_has(context: &Context, key: &str) -> bool {
    context
        .get(key)
        .is_some_and(|value| !value.values().is_empty())
}

/// Does the text hold a variable that the request has no single value for?
fn unresolved(text: &str, context: &Context) -> bool {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .any(|name| {
            !matches!(name, "*" | "?" | "$")
                && !name.contains(", '")
                && !matches!(context.get(name), Some(ContextValue::One(_)))
        })
}

fn push(list: &mut Value, entry: &str) {
    if let Value::String(single) = list {
        *list = json!([single]);
    }
    if let Value::Array(list) = list {
        list.push(entry.into());
    }
}

fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(list) => list.iter_mut().for_each(|entry| replace(entry, from, to)),
        _ => {}
    }
}
