//! `sigs.k8s.io/yaml`: YAML to JSON, with the scalars of go-yaml v2, which are those of YAML 1.1.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::Value as Json;

use super::text::parse_int_any_base;

/// How deeply a document may nest. The original allows more, but no review comes near.
const MAX_DEPTH: usize = 500;

/// How many nodes aliases may make of a document.
const MAX_NODES: usize = 1_000_000;

/// The JSON of the first document of a text; `null` for an empty one.
pub(crate) fn yaml_to_json(text: &[u8]) -> Result<Vec<u8>, String> {
    let text =
        std::str::from_utf8(text).map_err(|_| "yaml: invalid leading UTF-8 octet".to_owned())?;
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
    {
        return Err("yaml: control characters are not allowed".into());
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let json = match reader.document()? {
        Some(node) => reader.json(&node)?,
        None => Json::Null,
    };
    serde_json::to_vec(&json).map_err(|e| e.to_string())
}

#[derive(Clone, Debug)]
enum Node {
    Scalar {
        text: String,
        plain: bool,
        tag: Option<String>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias(usize),
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return Ok(event),
                Some(Err(error)) => return Err(format!("yaml: {error}")),
                None => return Ok(Event::StreamEnd),
            }
        }
    }

    fn document(&mut self) -> Result<Option<Node>, String> {
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => {
                    let event = self.next()?;
                    return self.node(event, 0).map(Some);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err("yaml: exceeded max depth".into());
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = Node::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    tag: tag.map(|tag| short_tag(&tag)),
                };
                (node, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                (Node::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        Event::MappingEnd => break,
                        event => {
                            let key = self.node(event, depth + 1)?;
                            let value = self.next()?;
                            entries.push((key, self.node(value, depth + 1)?));
                        }
                    }
                }
                (Node::Map(entries), anchor)
            }
            Event::Alias(id) => (Node::Alias(id), 0),
            // A document without content.
            _ => (
                Node::Scalar {
                    text: String::new(),
                    plain: true,
                    tag: None,
                },
                0,
            ),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// What an alias stands for; anything else stands for itself.
    fn target(&mut self, node: &Node) -> Result<Node, String> {
        match node {
            Node::Alias(id) => match self.anchors.get(id) {
                Some(node) => Ok(node.clone()),
                None => Err("yaml: anchor value contains itself".into()),
            },
            node => Ok(node.clone()),
        }
    }

    fn json(&mut self, node: &Node) -> Result<Json, String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err("yaml: document contains excessive aliasing".into());
        }
        match node {
            Node::Alias(_) => {
                let target = self.target(node)?;
                self.json(&target)
            }
            Node::Scalar { text, plain, tag } => resolve(text, *plain, tag.as_deref())?
                .ok_or_else(|| "json: unsupported value: NaN or Inf".into()),
            Node::List(items) => items
                .iter()
                .map(|item| self.json(item))
                .collect::<Result<_, _>>()
                .map(Json::Array),
            Node::Map(entries) => {
                let mut map = BTreeMap::new();
                self.entries(entries, &mut map)?;
                Ok(Json::Object(map.into_iter().collect()))
            }
        }
    }

    fn entries(
        &mut self,
        entries: &[(Node, Node)],
        map: &mut BTreeMap<String, Json>,
    ) -> Result<(), String> {
        for (key, value) in entries {
            if matches!(key, Node::Scalar { text, plain: true, tag: None } if text == "<<") {
                self.merge(value, map)?;
                continue;
            }
            let key =
                match self.json(key)? {
                    Json::String(text) => text,
                    Json::Bool(value) => value.to_string(),
                    Json::Number(number) => number.to_string(),
                    Json::Null => return Err(
                        "error converting YAML to JSON: unsupported map key of type: %!s(<nil>)"
                            .into(),
                    ),
                    _ => return Err("yaml: invalid map key".into()),
                };
            let value = self.json(value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn merge(&mut self, value: &Node, map: &mut BTreeMap<String, Json>) -> Result<(), String> {
        let maps = match self.target(value)? {
            Node::List(items) => items,
            other => vec![other],
        };
        for item in maps.iter().rev() {
            match self.target(item)? {
                Node::Map(entries) => self.entries(&entries, map)?,
                _ => {
                    return Err(
                        "yaml: map merge requires map or sequence of maps as the value".into(),
                    );
                }
            }
        }
        Ok(())
    }
}

fn short_tag(tag: &Tag) -> String {
    match tag.core_suffix() {
        Some(suffix) => format!("!!{suffix}"),
        None => tag.original(),
    }
}

/// A scalar's value; `None` for the numbers JSON does not have.
fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Option<Json>, String> {
    let string = || Ok(Some(Json::String(text.to_owned())));
    let (value, kind) = match tag {
        None if !plain => return string(),
        Some("!!str") => return string(),
        Some("!!binary") => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            let decoded = decoded
                .map_err(|_| "yaml: !!binary value contains invalid base64 data".to_owned())?;
            return Ok(Some(Json::String(
                String::from_utf8_lossy(&decoded).into_owned(),
            )));
        }
        Some(other)
            if !matches!(
                other,
                "!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp"
            ) =>
        {
            return string();
        }
        _ => plain_scalar(text),
    };
    match tag {
        Some(tag) if tag != kind && !(tag == "!!float" && kind == "!!int") => {
            Err(format!("yaml: cannot decode {kind} `{text}` as a {tag}"))
        }
        _ => Ok(value),
    }
}

/// The value of a plain scalar and the tag it has by that.
fn plain_scalar(text: &str) -> (Option<Json>, &'static str) {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return (Some(Json::Bool(true)), "!!bool");
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return (Some(Json::Bool(false)), "!!bool");
        }
        "" | "~" | "null" | "Null" | "NULL" => return (Some(Json::Null), "!!null"),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return (None, "!!float"),
        _ => {}
    }
    let string = || (Some(Json::String(text.to_owned())), "!!str");
    let looks_like_a_number =
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !looks_like_a_number || is_date(text) {
        // A date becomes a string again.
        return string();
    }
    let bare = text.replace('_', "");
    if !text.starts_with('.') {
        if let Some(number) = parse_int_any_base(text) {
            return (Some(Json::from(number)), "!!int");
        }
        if let Some(number) = parse_int_any_base(&bare) {
            return (Some(Json::from(number)), "!!int");
        }
        if let Ok(number) = bare.parse::<u64>() {
            return (Some(Json::from(number)), "!!int");
        }
    }
    if is_float(&bare)
        && let Ok(number) = bare.parse::<f64>()
        && number.is_finite()
    {
        return (Some(json_float(number)), "!!float");
    }
    string()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(decimals)
        && !(whole.is_empty() && decimals.is_empty())
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

/// Whether a text begins like a date, as far as that keeps it from being a number: `2026-08-11`.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 5 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

/// A number as Go writes a float: whole numbers without a decimal point.
fn json_float(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Json::from(number as i64);
    }
    Json::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, String> {
        yaml_to_json(text.as_bytes()).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn documents() {
        for (text, expected) in [
            ("", "null"),
            ("# nothing\n", "null"),
            ("hello", "\"hello\""),
            (
                "a: yes\nb: 'yes'\nc: 0x1F\nd: 1_000\ne: 0o17\nf: 017",
                r#"{"a":true,"b":"yes","c":31,"d":1000,"e":15,"f":15}"#,
            ),
            (
                "a: 1.50\nb: 1e3\nc: .5\nd: ~\ne: 2026-08-11\nf: 1.2.3",
                r#"{"a":1.5,"b":1000,"c":0.5,"d":null,"e":"2026-08-11","f":"1.2.3"}"#,
            ),
            ("{a: &x {b: 1}, c: *x}", r#"{"a":{"b":1},"c":{"b":1}}"#),
            (
                "a: &x {b: 1, c: 2}\nd:\n  b: 0\n  <<: *x",
                r#"{"a":{"b":1,"c":2},"d":{"b":1,"c":2}}"#,
            ),
            (
                "a: !!str 1\n1: x\ntrue: z",
                r#"{"1":"x","a":"1","true":"z"}"#,
            ),
            ("---\na: 1\n---\nb: 2\n", r#"{"a":1}"#),
        ] {
            assert_eq!(json(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "a: [",
            "~: 1",
            "a: .nan",
            "a: *x",
            "a\u{1}: b",
            "- a\nb: c",
            "a: !!int x",
            "? [a]\n: b",
        ] {
            assert!(json(bad).is_err(), "{bad}");
        }
        assert!(yaml_to_json(b"\xff").is_err());
        assert!(json(&"[".repeat(2_000)).is_err());
    }

    #[test]
    fn aliases_do_not_explode() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let item = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", [item.as_str(); 9].join(","));
        }
        assert!(json(&text).unwrap_err().contains("aliasing"));
    }
}
