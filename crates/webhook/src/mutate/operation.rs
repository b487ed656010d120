//! One operation of a JSON Patch.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// An `add`; the webhook makes no others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Always `add`.
    pub op: String,
    /// Where, as a JSON pointer.
    pub path: String,
    /// What.
    pub value: Json,
}

impl Operation {
    pub(crate) fn add(path: &str, value: Json) -> Self {
        Self {
            op: "add".into(),
            path: path.into(),
            value,
        }
    }
}

/// Why a patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot add at {0:?}")]
pub struct CannotApply(String);

/// Applies a patch of the webhook's, as the API server does.
pub fn apply(patch: &[Operation], document: &mut Json) -> Result<(), CannotApply> {
    for operation in patch {
        let cannot = || CannotApply(operation.path.clone());
        let (parent, last) = operation.path.rsplit_once('/').ok_or_else(cannot)?;
        let last = last.replace("~1", "/").replace("~0", "~");
        match document.pointer_mut(parent).ok_or_else(cannot)? {
            Json::Object(object) => {
                object.insert(last, operation.value.clone());
            }
            Json::Array(items) => {
                let at = match last.as_str() {
                    "-" => items.len(),
                    index => index.parse().map_err(|_| cannot())?,
                };
                if at > items.len() {
                    return Err(cannot());
                }
                items.insert(at, operation.value.clone());
            }
            _ => return Err(cannot()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_to_objects_and_lists() {
        let mut document = json!({"metadata": {"labels": {}}, "spec": {"volumes": [1]}});
        let patch = [
            Operation::add("/metadata/labels/a~1b", json!("x")),
            Operation::add("/spec/volumes/0", json!(0)),
            Operation::add("/spec/containers", json!([])),
        ];
        apply(&patch, &mut document).unwrap();
        assert_eq!(
            document,
            json!({"metadata": {"labels": {"a/b": "x"}}, "spec": {"volumes": [0, 1], "containers": []}})
        );
        assert!(apply(&[Operation::add("/none/x", json!(1))], &mut document).is_err());
        assert!(
            apply(
                &[Operation::add("/spec/volumes/3", json!(1))],
                &mut document
            )
            .is_err()
        );
    }
}
