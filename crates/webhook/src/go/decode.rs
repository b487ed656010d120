//! Go's decoder: JSON into a value of a type of the table.
//!
//! Type errors do not stop it; the first one is reported at the end and the rest is decoded, so that a review with a
//! wrong field still gives its uid. What a type decodes by itself (quantities, times, ports) stops it.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::{
    check,
    quantity::Quantity,
    scan,
    schema::{StructId, Type, schema},
    text::unquote,
    time::is_rfc3339,
    value::{Port, Value},
};

/// How keys find their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// In any letter case, an exact match preferred: Go's own decoder.
    AnyCase,
    /// Exactly: the decoder of the Kubernetes API machinery.
    Exact,
}

/// Decodes `data` into a new struct. The value is given even if there is an error, as far as it could be decoded.
pub(crate) fn decode(data: &[u8], id: StructId, keys: Keys) -> (Value, Result<(), String>) {
    decode_as(data, &Type::Struct(id), keys)
}

/// Decodes `data` into a new value of any type.
pub(crate) fn decode_as(data: &[u8], kind: &Type, keys: Keys) -> (Value, Result<(), String>) {
    let mut value = Value::zero(kind);
    if let Err(message) = check(data) {
        return (value, Err(message));
    }
    let mut decoder = Decoder {
        data,
        at: 0,
        keys,
        path: Vec::new(),
        within: None,
        first_error: None,
    };
    let result = decoder.value(kind, &mut value);
    let result = match (result, decoder.first_error) {
        (Err(message), _) => Err(message),
        (Ok(()), Some(message)) => Err(message),
        (Ok(()), None) => Ok(()),
    };
    (value, result)
}

struct Decoder<'a> {
    data: &'a [u8],
    at: usize,
    keys: Keys,
    path: Vec<&'static str>,
    within: Option<StructId>,
    first_error: Option<String>,
}

impl<'a> Decoder<'a> {
    fn peek(&mut self) -> u8 {
        while matches!(self.data.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.data.get(self.at).copied().unwrap_or(0)
    }

    /// Reads past one character if it is the next.
    fn take(&mut self, c: u8) -> bool {
        let found = self.peek() == c;
        if found {
            self.at += 1;
        }
        found
    }

    /// Reads past a value and gives its text.
    fn skip(&mut self) -> &'a [u8] {
        self.peek();
        let start = self.at;
        self.at = scan::end_of_value(self.data, start);
        &self.data[start..self.at]
    }

    fn mismatch(&mut self, found: &str, kind: &Type) {
        if self.first_error.is_none() {
            self.first_error = Some(self.cannot(found, &type_name(kind)));
        }
    }

    fn cannot(&self, found: &str, kind: &str) -> String {
        let path = self.path.join(".");
        let place = match self.within {
            // The one anonymous struct has no name.
            Some(id) if id == schema().version_kind => format!("struct field .{path}"),
            Some(id) => format!("struct field {}.{path}", schema().get(id).name),
            None => "value".to_owned(),
        };
        format!("json: cannot unmarshal {found} into Go {place} of type {kind}")
    }

    fn value(&mut self, kind: &Type, slot: &mut Value) -> Result<(), String> {
        // Pointers first: null clears them, anything else fills them.
        if let (Type::Pointer(inner), Value::Pointer(pointer)) = (kind, &mut *slot) {
            if self.peek() == b'n' {
                self.skip();
                *pointer = None;
                return Ok(());
            }
            let target = pointer.get_or_insert_with(|| Box::new(Value::zero(inner)));
            return self.value(inner, target);
        }
        match slot {
            Value::Quantity(quantity) => {
                let text = self.skip();
                return decode_quantity(text, quantity);
            }
            Value::Port(port) => return self.port(port),
            Value::Time => return self.time(),
            Value::Raw(raw) => {
                let text = self.skip();
                if text != b"null" {
                    *raw = Some(text.to_vec());
                }
                return Ok(());
            }
            _ => {}
        }
        match self.peek() {
            b'{' => self.object(kind, slot),
            b'[' => self.list(kind, slot),
            _ => {
                self.literal(kind, slot);
                Ok(())
            }
        }
    }

    fn object(&mut self, kind: &Type, slot: &mut Value) -> Result<(), String> {
        match (kind.bare(), slot) {
            (Type::Struct(id), Value::Struct(_, fields)) => self.fields(*id, fields),
            (Type::Map(element), Value::Map(entries)) => {
                let entries = entries.get_or_insert_default();
                self.entries(element, entries)
            }
            _ => {
                self.mismatch("object", kind);
                self.skip();
                Ok(())
            }
        }
    }

    /// Reads past an object's key and colon, or past its end.
    fn key(&mut self, first: bool) -> Option<String> {
        if first {
            self.take(b'{');
        }
        if self.take(b'}') {
            return None;
        }
        if !first {
            self.take(b',');
        }
        let literal = self.skip();
        self.take(b':');
        Some(unquote(literal))
    }

    fn fields(&mut self, id: StructId, fields: &mut [Value]) -> Result<(), String> {
        let definition = schema().get(id);
        let outer = self.within;
        let mut first = true;
        while let Some(key) = self.key(first) {
            first = false;
            let Some(index) = definition.find(&key, self.keys == Keys::Exact) else {
                self.skip();
                continue;
            };
            let field = &definition.fields[index];
            self.within = Some(id);
            let depth = self.path.len();
            self.path.extend(field.through.iter().map(String::as_str));
            self.path.push(&field.name);
            self.value(&field.kind, &mut fields[index])?;
            self.path.truncate(depth);
            self.within = outer;
        }
        Ok(())
    }

    fn entries(
        &mut self,
        element: &Type,
        entries: &mut BTreeMap<String, Value>,
    ) -> Result<(), String> {
        let mut first = true;
        while let Some(key) = self.key(first) {
            first = false;
            let mut value = Value::zero(element);
            self.value(element, &mut value)?;
            entries.insert(key, value);
        }
        Ok(())
    }

    fn list(&mut self, kind: &Type, slot: &mut Value) -> Result<(), String> {
        let (Type::List(element), Value::List(items)) = (kind.bare(), slot) else {
            self.mismatch("array", kind);
            self.skip();
            return Ok(());
        };
        // A list that comes twice is decoded into the elements it has: they merge.
        let items = items.get_or_insert_default();
        let mut n = 0;
        self.take(b'[');
        while !self.take(b']') {
            if n > 0 {
                self.take(b',');
            }
            if n == items.len() {
                items.push(Value::zero(element));
            }
            self.value(element, &mut items[n])?;
            n += 1;
        }
        items.truncate(n);
        Ok(())
    }

    fn literal(&mut self, kind: &Type, slot: &mut Value) {
        let text = self.skip();
        match (text.first(), slot) {
            (Some(b'n'), Value::List(items)) => *items = None,
            (Some(b'n'), Value::Map(entries)) => *entries = None,
            (Some(b'n'), Value::Bytes(bytes)) => *bytes = None,
            (Some(b'n'), _) => {}
            (Some(b't' | b'f'), Value::Bool(value)) => *value = text == b"true",
            (Some(b't' | b'f'), _) => self.mismatch("bool", kind),
            (Some(b'"'), Value::Str(value)) => *value = unquote(text),
            (Some(b'"'), Value::Bytes(bytes)) => match decode_base64(&unquote(text)) {
                Some(decoded) => *bytes = Some(decoded),
                None => {
                    self.first_error
                        .get_or_insert_with(|| "illegal base64 data".to_owned());
                }
            },
            (Some(b'"'), _) => self.mismatch("string", kind),
            (_, Value::Int(value)) => {
                let text = String::from_utf8_lossy(text);
                let bits = if let Type::Int { bits } = kind.bare() {
                    *bits
                } else {
                    64
                };
                match text.parse::<i64>() {
                    Ok(number) if bits == 64 || i32::try_from(number).is_ok() => *value = number,
                    _ => self.mismatch(&format!("number {text}"), kind),
                }
            }
            _ => self.mismatch("number", kind),
        }
    }

    fn port(&mut self, port: &mut Port) -> Result<(), String> {
        let text = self.skip();
        match text.first() {
            Some(b'"') => *port = Port::Name(unquote(text)),
            Some(b'n') => {
                if matches!(port, Port::Name(_)) {
                    *port = Port::Number(0);
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = String::from_utf8_lossy(text);
                let number: i32 = text
                    .parse()
                    .map_err(|_| self.cannot(&format!("number {text}"), "int32"))?;
                *port = Port::Number(number.into());
            }
            other => {
                let found = match other {
                    Some(b'{') => "object",
                    Some(b'[') => "array",
                    _ => "bool",
                };
                return Err(self.cannot(found, "int32"));
            }
        }
        Ok(())
    }

    fn time(&mut self) -> Result<(), String> {
        let text = self.skip();
        match text.first() {
            Some(b'n') => Ok(()),
            Some(b'"') => {
                let text = unquote(text);
                if is_rfc3339(&text) {
                    Ok(())
                } else {
                    Err(format!(
                        "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse"
                    ))
                }
            }
            other => {
                let found = match other {
                    Some(b'{') => "object",
                    Some(b'[') => "array",
                    Some(b't' | b'f') => "bool",
                    _ => "number",
                };
                Err(self.cannot(found, "string"))
            }
        }
    }
}

/// A quantity's own decoder: the quotes are cut off, escapes are not resolved, blanks around it are.
fn decode_quantity(text: &[u8], quantity: &mut Quantity) -> Result<(), String> {
    if text == b"null" {
        quantity.set_null();
        return Ok(());
    }
    let text = match text {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    };
    *quantity = Quantity::parse(String::from_utf8_lossy(text).trim())?;
    Ok(())
}

/// Go's base64 decoder, which passes over line ends.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn type_name(kind: &Type) -> String {
    match kind {
        Type::Bool => "bool".into(),
        Type::Int { bits } => format!("int{bits}"),
        Type::Str => "string".into(),
        Type::Bytes => "[]uint8".into(),
        Type::List(element) => format!("[]{}", type_name(element)),
        Type::Map(element) => format!("map[string]{}", type_name(element)),
        Type::Pointer(inner) => format!("*{}", type_name(inner)),
        // The one anonymous struct prints as its definition.
        Type::Struct(id) if *id == schema().version_kind => {
            r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#
                .into()
        }
        Type::Struct(id) => format!("v1.{}", schema().get(*id).name),
        Type::Quantity => "resource.Quantity".into(),
        Type::IntOrString => "intstr.IntOrString".into(),
        Type::Time => "v1.Time".into(),
        Type::Raw => "runtime.RawExtension".into(),
        Type::Named(_, name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(text: &str) -> (Value, Result<(), String>) {
        decode(text.as_bytes(), schema().pod, Keys::AnyCase)
    }

    #[test]
    fn keys_in_any_case_duplicates_merge() {
        let (pod, result) = pod(
            r#"{"SPEC":{"nodeselector":{"a":"1"},"nodeSelector":{"b":"2","b":"3"},
               "containers":[{"name":"a","image":"i"},{"name":"b"}],"containers":[{"name":"c"}]}}"#,
        );
        assert_eq!(result, Ok(()));
        let spec = pod.get("spec").unwrap();
        assert_eq!(spec.map_text("nodeSelector", "a"), Some("1"));
        assert_eq!(spec.map_text("nodeSelector", "b"), Some("3"));
        let containers = spec.list("containers").unwrap();
        assert_eq!(containers.len(), 1);
        assert_eq!(
            (containers[0].text("name"), containers[0].text("image")),
            ("c", "i")
        );
    }

    #[test]
    fn nil_is_not_empty() {
        assert!(
            pod(r#"{"spec":{"volumes":null}}"#)
                .0
                .get("spec")
                .unwrap()
                .list("volumes")
                .is_none()
        );
        assert!(
            pod(r#"{"spec":{"volumes":[]}}"#)
                .0
                .get("spec")
                .unwrap()
                .list("volumes")
                .is_some()
        );
    }

    #[test]
    fn errors_name_the_place_and_do_not_stop() {
        let (value, result) = pod(r#"{"spec":{"hostNetwork":"yes","containers":[{"name":"a"}]}}"#);
        assert_eq!(
            result.unwrap_err(),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"
        );
        assert_eq!(
            value.get("spec").unwrap().list("containers").unwrap().len(),
            1
        );
        assert_eq!(
            pod("\"x\"").1.unwrap_err(),
            "json: cannot unmarshal string into Go value of type v1.Pod"
        );
        for bad in [
            r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}"#,
            r#"{"spec":{"containers":[{"ports":[{"containerPort":2147483648}]}]}}"#,
            r#"{"spec":{"containers":[{"ports":[{"containerPort":80.0}]}]}}"#,
            r#"{"spec":{"containers":{}}}"#,
            r#"{"metadata":{"creationTimestamp":"yesterday"}}"#,
            r#"{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":1.5}}}]}}"#,
            r#"[]"#,
            "",
        ] {
            assert!(pod(bad).1.is_err(), "{bad}");
        }
    }
}
