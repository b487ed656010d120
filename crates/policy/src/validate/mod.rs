//! AWS's checks after the shape is right, one file per kind of policy, in AWS's order.

mod permission;
mod trust;

use crate::{
    document::DocumentKind,
    error::{PolicyError, PolicyFault},
    shape::{Shape, ShapeFault, What},
    texts,
};

/// Judges the values of a document.
pub(crate) fn check(source: &str, shape: &Shape, kind: DocumentKind) -> Result<(), PolicyError> {
    match kind {
        DocumentKind::Trust => trust::check(source, shape),
        _ => permission::check(source, shape, kind),
    }
}

/// Words a document that is not JSON.
pub(crate) fn json_error(
    source: &str,
    fault: crate::json::Fault,
    kind: DocumentKind,
) -> PolicyError {
    let text = if kind == DocumentKind::Trust {
        texts::TRUST_JSON
    } else {
        texts::SYNTAX
    };
    PolicyError::new(source, PolicyFault::Json, text, fault.at, "", fault.what)
}

/// Words a fault of shape.
pub(crate) fn shape_error(source: &str, fault: ShapeFault, kind: DocumentKind) -> PolicyError {
    let text = match (kind, fault.what) {
        (DocumentKind::Trust, What::Version) => texts::TRUST_VERSION,
        (DocumentKind::Trust, What::NoStatement) => texts::TRUST_EMPTY,
        (DocumentKind::Trust, What::NoEffect) => texts::TRUST_NO_EFFECT,
        (DocumentKind::Trust, What::Other) => texts::TRUST_SYNTAX,
        _ => texts::SYNTAX,
    };
    PolicyError::new(
        source,
        fault.fault,
        text,
        fault.at,
        fault.field,
        fault.detail,
    )
}

/// `Statement[2].Sid`
fn field(index: usize, name: &str) -> String {
    format!("Statement[{index}].{name}")
}
