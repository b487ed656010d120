//! One statement, and which of its parts a request meets.

use serde::{Deserialize, Serialize};

use crate::{
    condition::Condition,
    context::Context,
    pattern::{Case, Pattern},
    principal::{Grant, Principal, PrincipalPattern, spared},
    resource::ResourcePattern,
};

/// `Allow` or `Deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The statement grants.
    Allow,
    /// The statement forbids, whatever else allows.
    Deny,
}

/// A list and whether it stands under the `Not` form of its element.
#[derive(Clone, Debug)]
pub(crate) struct Listed<T> {
    pub(crate) not: bool,
    pub(crate) entries: Box<[T]>,
}

/// One entry of `Action` or `NotAction`.
#[derive(Clone, Debug)]
pub(crate) struct ActionPattern {
    /// As written.
    pub(crate) text: Box<str>,
    pub(crate) pattern: Pattern,
}

/// A statement ready to evaluate.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) index: usize,
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Listed<PrincipalPattern>>,
    pub(crate) actions: Listed<ActionPattern>,
    /// `None` in a trust policy: the resource is the role itself.
    pub(crate) resources: Option<Listed<ResourcePattern>>,
    pub(crate) conditions: Box<[Condition]>,
    /// Byte span in the source.
    pub(crate) span: (usize, usize),
}

impl Statement {
    /// Action names are compared without regard to case (docs).
    pub(crate) fn covers_action(&self, action: &str) -> bool {
        // Actions hold no variables, so any context does.
        static NOTHING: Context = Context::new();
        let listed = self
            .actions
            .entries
            .iter()
            .any(|entry| entry.pattern.matches(action, &NOTHING, Case::Ignored));
        listed != self.actions.not
    }

    pub(crate) fn covers_resource(&self, resource: &str, context: &Context) -> bool {
        self.resources.as_ref().is_none_or(|resources| {
            resources
                .entries
                .iter()
                .any(|entry| entry.matches(resource, context))
                != resources.not
        })
    }

    pub(crate) fn conditions_hold(&self, context: &Context) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(context))
    }

    /// How closely the statement names the caller. A statement without the element names nobody.
    pub(crate) fn grant(&self, caller: &Principal) -> Option<Grant> {
        let principals = self.principals.as_ref()?;
        if principals.not {
            return (!spared(&principals.entries, caller)).then_some(Grant::Role);
        }
        let mut best = None;
        for entry in &principals.entries {
            let grant = entry.grant(caller);
            // Everyone narrowed by aws:PrincipalArn counts as naming that principal (docs).
            let named =
                entry.is_everyone() && self.conditions.iter().any(Condition::names_principal);
            best = best.max(if named { Some(Grant::Direct) } else { grant });
        }
        best
    }
}
