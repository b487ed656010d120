//! SimulatePrincipalPolicy.

use super::{Input, Outcome};

pub(super) fn principal(_input: &Input<'_>) -> Outcome { Ok(None) }
