//! A policy document: its text as given and its statements ready to evaluate.

use std::{fmt, sync::Arc};

use crate::{
    condition::Condition,
    error::PolicyError,
    json,
    pattern::{Pattern, Syntax},
    principal::{NamedPrincipal, PrincipalPattern},
    resource::ResourcePattern,
    shape::{self, Shape, StatementShape},
    statement::{ActionPattern, Effect, Listed, Statement},
    validate,
};

/// What a document is attached to; decides which elements it must and may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// A managed policy.
    Identity,
    /// A policy inside a role; may leave out its version (docs).
    Inline,
    /// Who may assume a role.
    Trust,
    /// Passed with a session, or with a pod identity association.
    Session,
    /// Attached to a resource, such as a bucket.
    Resource,
    /// A managed policy used as permissions boundary.
    Boundary,
}

/// The version of the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also when the document has none: `${...}` is plain text.
    V2008,
    /// `2012-10-17`: policy variables work.
    V2012,
}

/// A place in a document's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A parsed and validated policy.
#[derive(Clone)]
pub struct Document {
    kind: DocumentKind,
    version: Version,
    id: Option<String>,
    text: Arc<str>,
    statements: Box<[Statement]>,
}

impl Document {
    /// Reads and judges a document.
    ///
    /// # Errors
    /// A [`PolicyError`] whose `Display` is AWS's `MalformedPolicyDocument` text.
    pub fn parse(text: &str, kind: DocumentKind) -> Result<Self, PolicyError> {
        let root = json::read(text).map_err(|fault| validate::json_error(text, fault, kind))?;
        let shape = shape::read(root).map_err(|fault| validate::shape_error(text, fault, kind))?;
        validate::check(text, &shape, kind)?;
        Ok(Self::build(text, shape, kind))
    }

    fn build(text: &str, shape: Shape, kind: DocumentKind) -> Self {
        let version = match &shape.version {
            Some(version) if version.text == "2012-10-17" => Version::V2012,
            _ => Version::V2008,
        };
        let variables = version == Version::V2012;
        let statements = shape
            .statements
            .into_iter()
            .enumerate()
            .map(|(index, statement)| build_statement(index, statement, variables))
            .collect();
        Self {
            kind,
            version,
            id: shape.id,
            text: text.into(),
            statements,
        }
    }

    /// The text exactly as given, white space kept.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is attached to.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The version of its language.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its `Id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Never true: AWS refuses a document without statements.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Characters without white space, as quotas count them (docs; for trust policies inferred).
    pub fn size(&self) -> usize {
        Self::size_of(&self.text)
    }

    /// [`Document::size`] of a text that need not be a valid policy.
    pub fn size_of(text: &str) -> usize {
        text.chars().filter(|char| !char.is_whitespace()).count()
    }

    /// Where a statement begins and ends, for `MatchedStatements` of a simulation.
    pub fn statement_place(&self, index: usize) -> Option<(Place, Place)> {
        let (start, end) = self.statements.get(index)?.span;
        let place = |at| {
            let (line, column) = json::place(&self.text, at);
            Place { line, column }
        };
        Some((place(start), place(end)))
    }

    /// Every principal that the document names, in order.
    pub fn principals(&self) -> impl Iterator<Item = NamedPrincipal> + '_ {
        self.statements.iter().flat_map(|statement| {
            statement
                .principals
                .iter()
                .flat_map(|listed| &listed.entries)
                .map(|entry| NamedPrincipal {
                    kind: entry.kind,
                    value: entry.text.to_string(),
                    id: entry.id.as_deref().map(str::to_owned),
                    statement: statement.index,
                })
        })
    }

    /// Ties the ARNs of roles and users to unique ids, as IAM does when it stores a policy: afterwards only
    /// a caller with that id matches, not one of the same name made later. `resolve` gets each such ARN.
    pub fn pin_principals(mut self, mut resolve: impl FnMut(&str) -> Option<String>) -> Self {
        for statement in &mut self.statements {
            for entry in statement
                .principals
                .iter_mut()
                .flat_map(|listed| &mut listed.entries)
            {
                let named = NamedPrincipal {
                    kind: entry.kind,
                    value: entry.text.to_string(),
                    id: None,
                    statement: statement.index,
                };
                if let Some(arn) = named.role_or_user_arn() {
                    entry.id = resolve(arn).map(String::into_boxed_str);
                }
            }
        }
        self
    }

    /// The text with some principals spelt anew: IAM prints `AROA...` for a role that is gone. `spell`
    /// returns the new spelling, or `None` to keep what was given.
    pub fn text_with_principals(
        &self,
        mut spell: impl FnMut(&NamedPrincipal) -> Option<String>,
    ) -> String {
        let entries = self.statements.iter().flat_map(|statement| {
            statement
                .principals
                .iter()
                .flat_map(|listed| &listed.entries)
                .map(|entry| (statement.index, entry))
        });
        let mut edits: Vec<((usize, usize), String)> = entries
            .filter_map(|(statement, entry)| {
                let named = NamedPrincipal {
                    kind: entry.kind,
                    value: entry.text.to_string(),
                    id: entry.id.as_deref().map(str::to_owned),
                    statement,
                };
                Some((
                    entry.span,
                    serde_json::Value::from(spell(&named)?).to_string(),
                ))
            })
            .collect();
        edits.sort();
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for ((start, end), spelling) in edits {
            text.push_str(&self.text[at..start]);
            text.push_str(&spelling);
            at = end;
        }
        text.push_str(&self.text[at..]);
        text
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

fn build_statement(index: usize, shape: StatementShape, variables: bool) -> Statement {
    let effect = if shape.effect.text.eq_ignore_ascii_case("allow") {
        Effect::Allow
    } else {
        Effect::Deny
    };
    let plain = Syntax {
        wildcards: true,
        variables: false,
    };
    let (not, actions) = shape.actions.map_or((false, Vec::new()), |actions| {
        (actions.not, actions.entries)
    });
    Statement {
        index,
        sid: shape
            .sid
            .map(|sid| sid.text)
            .filter(|sid| !sid.is_empty())
            .map(String::into_boxed_str),
        effect,
        principals: shape.principals.map(|principals| Listed {
            not: principals.not,
            entries: principals
                .entries
                .into_iter()
                .map(|(kind, text)| PrincipalPattern::new(kind, &text.text, (text.at, text.end)))
                .collect(),
        }),
        actions: Listed {
            not,
            entries: actions
                .into_iter()
                .map(|action| ActionPattern {
                    pattern: Pattern::parse(&action.text, plain),
                    text: action.text.into(),
                })
                .collect(),
        },
        resources: shape.resources.map(|resources| Listed {
            not: resources.not,
            entries: resources
                .entries
                .iter()
                .map(|entry| ResourcePattern::parse(&entry.text, variables))
                .collect(),
        }),
        conditions: shape
            .conditions
            .into_iter()
            .map(|condition| {
                Condition::new(
                    condition.operator,
                    &condition.name,
                    &condition.key,
                    condition.values,
                    variables,
                )
            })
            .collect(),
        span: (shape.at, shape.end),
    }
}
