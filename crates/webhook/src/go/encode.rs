//! Go's encoder: a value of the table to JSON.

use base64::Engine as _;
use serde_json::{Map, Value as Json};

use super::{
    schema::{Type, schema},
    value::{Port, Value},
};

/// The JSON of a value.
pub(crate) fn encode(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Str(value) => Json::String(value.clone()),
        Value::Bytes(None)
        | Value::List(None)
        | Value::Map(None)
        | Value::Pointer(None)
        | Value::Raw(None)
        | Value::Time => Json::Null,
        Value::Bytes(Some(bytes)) => {
            Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::List(Some(items)) => Json::Array(items.iter().map(encode).collect()),
        Value::Map(Some(entries)) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), encode(value)))
                .collect(),
        ),
        Value::Pointer(Some(inner)) => encode(inner),
        Value::Quantity(quantity) => Json::String(quantity.canonical()),
        Value::Port(Port::Number(number)) => Json::from(*number),
        Value::Port(Port::Name(name)) => Json::String(name.clone()),
        Value::Raw(Some(raw)) => serde_json::from_slice(raw).unwrap_or(Json::Null),
        Value::Struct(id, fields) => {
            let mut object = Map::new();
            for (field, value) in schema().get(*id).fields.iter().zip(fields) {
                let left_out = (field.omit_empty && is_empty(value))
                    || (field.omit_zero && matches!(field.kind, Type::Time));
                if !left_out {
                    object.insert(field.name.clone(), encode(value));
                }
            }
            Json::Object(object)
        }
    }
}

/// What `omitempty` leaves out: never a struct, and so never a quantity.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Int(value) => *value == 0,
        Value::Str(value) => value.is_empty(),
        Value::Bytes(bytes) => bytes.as_ref().is_none_or(Vec::is_empty),
        Value::List(items) => items.as_ref().is_none_or(Vec::is_empty),
        Value::Map(entries) => entries.as_ref().is_none_or(|entries| entries.is_empty()),
        Value::Pointer(pointer) => pointer.is_none(),
        Value::Struct(..) | Value::Quantity(_) | Value::Port(_) | Value::Time | Value::Raw(_) => {
            false
        }
    }
}
