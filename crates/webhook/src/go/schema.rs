//! The table of Go types: which fields, of which type, written when.

use std::{collections::HashMap, sync::LazyLock};

use super::text::fold;

/// The table as data: a type's name, then its fields. `?` is `omitempty`, `!` is `omitzero`; what stands before a dot is an
/// embedded struct the field is promoted from; what stands before an equals sign is the type's own name.
static TEXT: &str = include_str!("types.txt");

/// A struct of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StructId(usize);

/// A Go type. `Quantity`, `IntOrString`, `Time` and `Raw` decode themselves.
#[derive(Debug)]
pub(crate) enum Type {
    Bool,
    Int {
        bits: u32,
    },
    Str,
    Bytes,
    List(Box<Type>),
    Map(Box<Type>),
    Pointer(Box<Type>),
    Struct(StructId),
    Quantity,
    IntOrString,
    Time,
    Raw,
    /// A type with a name of its own.
    Named(Box<Type>, String),
}

impl Type {
    /// What a name stands for.
    pub(crate) fn bare(&self) -> &Self {
        match self {
            Self::Named(inner, _) => inner,
            other => other,
        }
    }
}

/// A field of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The embedded structs it comes through, outermost first.
    pub(crate) through: Vec<String>,
    pub(crate) kind: Type,
    pub(crate) omit_empty: bool,
    pub(crate) omit_zero: bool,
}

/// A struct.
#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

impl Struct {
    /// The field a key names; in any letter case unless `exact`.
    pub(crate) fn find(&self, key: &str, exact: bool) -> Option<usize> {
        match self.exact.get(key) {
            Some(&index) => Some(index),
            None if exact => None,
            None => self.folded.get(&fold(key)).copied(),
        }
    }
}

/// All structs.
#[derive(Debug)]
pub(crate) struct Schema {
    structs: Vec<Struct>,
    /// `v1.Pod`.
    pub(crate) pod: StructId,
    /// `admission.AdmissionReview`, whose versions v1 and v1beta1 have the same fields.
    pub(crate) admission_review: StructId,
    /// The two fields the API machinery looks at first.
    pub(crate) version_kind: StructId,
    /// The identities file.
    pub(crate) identities: StructId,
    /// The ConfigMap's text: entries by `namespace/name`.
    pub(crate) entries: Type,
}

impl Schema {
    /// A struct by its id.
    pub(crate) fn get(&self, id: StructId) -> &Struct {
        &self.structs[id.0]
    }
}

/// The table, read once.
pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| parse(TEXT));
    &SCHEMA
}

fn parse(text: &str) -> Schema {
    let names: HashMap<&str, usize> = text
        .lines()
        .filter(|line| !line.starts_with('\t'))
        .enumerate()
        .map(|(index, name)| (name, index))
        .collect();
    let mut structs: Vec<Struct> = Vec::with_capacity(names.len());
    for line in text.lines() {
        let Some(field) = line.strip_prefix('\t') else {
            structs.push(Struct {
                name: line.to_owned(),
                fields: Vec::new(),
                exact: HashMap::new(),
                folded: HashMap::new(),
            });
            continue;
        };
        let (Some(current), Some((name, kind))) = (structs.last_mut(), field.split_once(' '))
        else {
            unreachable!("the table's own text is well-formed; a test reads it");
        };
        let mut through: Vec<String> = name
            .trim_end_matches(['?', '!'])
            .split('.')
            .map(str::to_owned)
            .collect();
        let bare = through.pop().unwrap_or_default();
        let index = current.fields.len();
        current.exact.insert(bare.clone(), index);
        current.folded.entry(fold(&bare)).or_insert(index);
        current.fields.push(Field {
            name: bare,
            through,
            kind: parse_type(kind, &names),
            omit_empty: name.contains('?'),
            omit_zero: name.contains('!'),
        });
    }
    Schema {
        structs,
        pod: StructId(names["Pod"]),
        admission_review: StructId(names["AdmissionReview"]),
        version_kind: StructId(names["VersionKind"]),
        identities: StructId(names["IdentityConfigObject"]),
        entries: parse_type("map *ConfigMapEntry", &names),
    }
}

fn parse_type(text: &str, names: &HashMap<&str, usize>) -> Type {
    if !text.starts_with(['*', '['])
        && !text.starts_with("map ")
        && let Some((name, bare)) = text.split_once('=')
    {
        return Type::Named(Box::new(parse_type(bare, names)), name.to_owned());
    }
    if let Some(rest) = text.strip_prefix('*') {
        return Type::Pointer(Box::new(parse_type(rest, names)));
    }
    if let Some(rest) = text.strip_prefix("[]") {
        return Type::List(Box::new(parse_type(rest, names)));
    }
    if let Some(rest) = text.strip_prefix("map ") {
        return Type::Map(Box::new(parse_type(rest, names)));
    }
    match text {
        "bool" => Type::Bool,
        "int32" => Type::Int { bits: 32 },
        "int64" => Type::Int { bits: 64 },
        "string" => Type::Str,
        "bytes" => Type::Bytes,
        "@Quantity" => Type::Quantity,
        "@IntOrString" => Type::IntOrString,
        "@Time" => Type::Time,
        "@RawExtension" | "@FieldsV1" => Type::Raw,
        name => Type::Struct(StructId(names[name])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads() {
        let schema = schema();
        let pod = schema.get(schema.pod);
        assert_eq!(pod.name, "Pod");
        assert!(pod.find("Spec", true).is_none());
        assert_eq!(pod.find("Spec", false), pod.find("spec", true));
        assert!(schema.structs.len() > 100);
        assert!(
            schema
                .structs
                .iter()
                .all(|s| !s.fields.is_empty() || s.name == "EmptyDirSource")
        );
        assert!(
            schema
                .structs
                .iter()
                .all(|s| s.name == "NodeUnused" || !s.name.is_empty())
        );
    }
}
