//! Whether a document is a policy.

use crate::ServiceError;

pub(super) fn identity(_text: &str, _managed: bool) -> Result<(), ServiceError> {
    Ok(())
}
pub(super) fn trust(_text: &str) -> Result<(), ServiceError> {
    Ok(())
}
