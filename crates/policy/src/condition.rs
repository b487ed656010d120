//! One key under one operator, and whether a request meets it.

use std::{cmp::Ordering, net::IpAddr};

use crate::{
    context::{Context, ContextValue},
    literal::{self, Instant, Network},
    operator::{Comparison, Operator, Quantifier},
    pattern::{Case, Pattern, Syntax, split_arn},
};

/// A condition ready to evaluate.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    /// The operator as written.
    pub(crate) operator_name: Box<str>,
    /// The key as written.
    pub(crate) key: Box<str>,
    /// The key in lower case.
    key_lower: Box<str>,
    /// The policy's values as written.
    pub(crate) values: Box<[String]>,
    wanted: Wanted,
}

/// The policy's values, read for their operator. A value that cannot be read matches nothing.
#[derive(Clone, Debug)]
enum Wanted {
    Texts(Box<[Pattern]>),
    Arns(Box<[Option<[Pattern; 6]>]>),
    Numbers(Box<[Option<f64>]>),
    Dates(Box<[Option<Instant>]>),
    Bools(Box<[Option<bool>]>),
    Binaries(Box<[Option<Vec<u8>>]>),
    Networks(Box<[Option<Network>]>),
}

impl Condition {
    /// `variables` says whether `${...}` is one in this document.
    pub(crate) fn new(
        operator: Operator,
        name: &str,
        key: &str,
        values: Vec<String>,
        variables: bool,
    ) -> Self {
        let each = || values.iter().map(String::as_str);
        let texts = |wildcards| {
            Wanted::Texts(
                each()
                    .map(|text| {
                        Pattern::parse(
                            text,
                            Syntax {
                                wildcards,
                                variables,
                            },
                        )
                    })
                    .collect(),
            )
        };
        let wanted = match operator.comparison {
            Comparison::TextEquals | Comparison::TextEqualsIgnoringCase => texts(false),
            Comparison::TextLike => texts(true),
            Comparison::Arn => {
                Wanted::Arns(each().map(|text| arn_pattern(text, variables)).collect())
            }
            Comparison::Number(_) => Wanted::Numbers(each().map(literal::number).collect()),
            Comparison::Date(_) => Wanted::Dates(each().map(literal::date).collect()),
            Comparison::Bool | Comparison::Null => {
                Wanted::Bools(each().map(literal::boolean).collect())
            }
            Comparison::Binary => Wanted::Binaries(each().map(literal::binary).collect()),
            Comparison::Address => Wanted::Networks(each().map(Network::parse).collect()),
        };
        Self {
            operator,
            operator_name: name.into(),
            key: key.into(),
            key_lower: key.to_lowercase().into(),
            values: values.into(),
            wanted,
        }
    }

    /// What the request carries for the key.
    pub(crate) fn carried<'a>(&self, context: &'a Context) -> Option<&'a ContextValue> {
        context.get_lower(&self.key_lower)
    }

    /// Is this a multivalued key without a set operator? AWS does not define the outcome.
    pub(crate) fn is_undefined(&self, context: &Context) -> bool {
        self.operator.quantifier == Quantifier::Plain
            && self.operator.comparison != Comparison::Null
            && matches!(self.carried(context), Some(ContextValue::Many(values)) if values.len() > 1)
    }

    /// Does it demand a certain caller by `aws:PrincipalArn`?
    pub(crate) fn names_principal(&self) -> bool {
        &*self.key_lower == "aws:principalarn"
            && !self.operator.negated
            && !self.operator.if_exists
            && self.operator.quantifier != Quantifier::All
            && matches!(
                self.operator.comparison,
                Comparison::Arn
                    | Comparison::TextEquals
                    | Comparison::TextEqualsIgnoringCase
                    | Comparison::TextLike
            )
    }

    /// Does the request meet the condition? An empty list counts as an absent key.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = self.carried(context).map_or(&[][..], ContextValue::values);
        if self.operator.comparison == Comparison::Null {
            let absent = values.is_empty();
            return matches!(&self.wanted, Wanted::Bools(wanted) if wanted.contains(&Some(absent)));
        }
        if values.is_empty() && self.operator.if_exists {
            return true;
        }
        let one = |value: &String| self.any_matches(value, context) != self.operator.negated;
        match self.operator.quantifier {
            Quantifier::All => values.iter().all(one),
            Quantifier::Any => values.iter().any(one),
            Quantifier::Plain if values.is_empty() => self.operator.negated,
            Quantifier::Plain => values.iter().any(one),
        }
    }

    /// Does one request value match one of the policy's values?
    fn any_matches(&self, value: &str, context: &Context) -> bool {
        match (&self.wanted, self.operator.comparison) {
            (Wanted::Texts(wanted), Comparison::TextEqualsIgnoringCase) => wanted
                .iter()
                .any(|pattern| pattern.equals_ignoring_case(value, context)),
            (Wanted::Texts(wanted), _) => wanted
                .iter()
                .any(|pattern| pattern.matches(value, context, Case::Sensitive)),
            (Wanted::Arns(wanted), _) => wanted
                .iter()
                .flatten()
                .any(|pattern| arn_matches(pattern, value, context)),
            (Wanted::Numbers(wanted), Comparison::Number(order)) => literal::number(value)
                .is_some_and(|value| {
                    let ordered =
                        |wanted: &f64| value.partial_cmp(wanted).unwrap_or(Ordering::Equal);
                    wanted
                        .iter()
                        .flatten()
                        .any(|wanted| order.holds(ordered(wanted)))
                }),
            (Wanted::Dates(wanted), Comparison::Date(order)) => {
                literal::date(value).is_some_and(|value| {
                    wanted
                        .iter()
                        .flatten()
                        .any(|wanted| order.holds(value.cmp(wanted)))
                })
            }
            (Wanted::Bools(wanted), _) => {
                literal::boolean(value).is_some_and(|value| wanted.contains(&Some(value)))
            }
            (Wanted::Binaries(wanted), _) => {
                literal::binary(value).is_some_and(|value| wanted.contains(&Some(value)))
            }
            (Wanted::Networks(wanted), _) => value.parse::<IpAddr>().is_ok_and(|address| {
                wanted
                    .iter()
                    .flatten()
                    .any(|network| network.contains(address))
            }),
            (Wanted::Numbers(_) | Wanted::Dates(_), _) => false,
        }
    }
}

fn arn_pattern(text: &str, variables: bool) -> Option<[Pattern; 6]> {
    let parts = split_arn(text, variables)?;
    Some(parts.map(|part| {
        Pattern::parse(
            part,
            Syntax {
                wildcards: true,
                variables,
            },
        )
    }))
}

fn arn_matches(pattern: &[Pattern; 6], value: &str, context: &Context) -> bool {
    if !value.starts_with("arn:") {
        return false;
    }
    let mut parts = value.splitn(6, ':');
    pattern.iter().all(|pattern| {
        parts
            .next()
            .is_some_and(|part| pattern.matches(part, context, Case::Sensitive))
    })
}
