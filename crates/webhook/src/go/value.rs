//! A Go value of a type of the table.

use std::collections::BTreeMap;

use super::{
    quantity::Quantity,
    schema::{StructId, Type, schema},
};

/// A value. `None` in a list, map or bytes is Go's nil, which is not the same as empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Str(String),
    Bytes(Option<Vec<u8>>),
    List(Option<Vec<Value>>),
    Map(Option<BTreeMap<String, Value>>),
    Pointer(Option<Box<Value>>),
    Struct(StructId, Vec<Value>),
    Quantity(Quantity),
    Port(Port),
    /// A time. Checked when read, never written by us, so not kept.
    Time,
    Raw(Option<Vec<u8>>),
}

/// Go's `IntOrString`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Port {
    Number(i64),
    Name(String),
}

impl Value {
    /// The zero value of a type.
    pub(crate) fn zero(kind: &Type) -> Self {
        match kind {
            Type::Bool => Self::Bool(false),
            Type::Int { .. } => Self::Int(0),
            Type::Str => Self::Str(String::new()),
            Type::Bytes => Self::Bytes(None),
            Type::List(_) => Self::List(None),
            Type::Map(_) => Self::Map(None),
            Type::Pointer(_) => Self::Pointer(None),
            Type::Struct(id) => Self::zero_struct(*id),
            Type::Quantity => Self::Quantity(Quantity::default()),
            Type::IntOrString => Self::Port(Port::Number(0)),
            Type::Time => Self::Time,
            Type::Raw => Self::Raw(None),
            Type::Named(inner, _) => Self::zero(inner),
        }
    }

    /// The zero value of a struct.
    pub(crate) fn zero_struct(id: StructId) -> Self {
        let fields = &schema().get(id).fields;
        Self::Struct(
            id,
            fields.iter().map(|field| Self::zero(&field.kind)).collect(),
        )
    }

    /// A struct's field by its JSON name, through pointers.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(id, fields) => fields.get(schema().get(*id).find(name, true)?),
            Self::Pointer(Some(inner)) => inner.get(name),
            _ => None,
        }
    }

    /// A struct's field by its JSON name, to change it.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Struct(id, fields) => fields.get_mut(schema().get(*id).find(name, true)?),
            Self::Pointer(Some(inner)) => inner.get_mut(name),
            _ => None,
        }
    }

    /// A struct's string field; empty if it is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Self::Str(text)) => text,
            _ => "",
        }
    }

    /// A struct's list field; `None` if nil.
    pub(crate) fn list(&self, name: &str) -> Option<&[Self]> {
        match self.get(name) {
            Some(Self::List(Some(items))) => Some(items),
            _ => None,
        }
    }

    /// A struct's map field; `None` if nil.
    pub(crate) fn map(&self, name: &str) -> Option<&BTreeMap<String, Self>> {
        match self.get(name) {
            Some(Self::Map(Some(entries))) => Some(entries),
            _ => None,
        }
    }

    /// A string out of a struct's map of strings.
    pub(crate) fn map_text(&self, map: &str, key: &str) -> Option<&str> {
        match self.map(map)?.get(key)? {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Sets a struct's string field.
    pub(crate) fn set_text(&mut self, name: &str, text: &str) {
        if let Some(Self::Str(slot)) = self.get_mut(name) {
            text.clone_into(slot);
        }
    }

    /// Appends a zero struct to a struct's list of structs and gives it.
    pub(crate) fn push_struct(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Struct(id, fields) = self else {
            return None;
        };
        let definition = schema().get(*id);
        let index = definition.find(name, true)?;
        let Type::List(element) = definition.fields[index].kind.bare() else {
            return None;
        };
        let Self::List(items) = &mut fields[index] else {
            return None;
        };
        let items = items.get_or_insert_default();
        items.push(Self::zero(element));
        items.last_mut()
    }
}
