//! `sigs.k8s.io/yaml`: YAML to JSON, with the scalars of go-yaml v2, which are those of YAML 1.1.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::text::parse_int_any_base;

/// How deeply a document may nest. The original allows more, but no review comes near.
const MAX_DEPTH: usize = 500;

/// How many nodes aliases may make of a document.
const MAX_NODES: usize = 200_000;

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
    let plain = match reader.document()? {
        Some(node) => reader.plain(&node)?,
        None => Plain::Null,
    };
    let mut json = String::with_capacity(text.len() * 2);
    plain.write(&mut json)?;
    Ok(json.into_bytes())
}

/// What YAML comes down to.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    /// A whole number, as JSON writes it.
    Int(String),
    Float(f64),
    Text(String),
    List(Vec<Plain>),
    Map(BTreeMap<String, Plain>),
}

impl Plain {
    /// Writes JSON as Go does: a float has an exponent only if it is very small or very large.
    fn write(&self, out: &mut String) -> Result<(), String> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(number) => out.push_str(number),
            Self::Float(number) if !number.is_finite() => {
                return Err(format!("json: unsupported value: {number}"));
            }
            Self::Float(number) => {
                let size = number.abs();
                if size != 0.0 && !(1e-6..1e21).contains(&size) {
                    let text = format!("{number:e}");
                    out.push_str(&if size >= 1e21 {
                        text.replace('e', "e+")
                    } else {
                        text
                    });
                } else {
                    out.push_str(&number.to_string());
                }
            }
            // A string's JSON is the string's JSON.
            Self::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out)?;
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    out.push(':');
                    value.write(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// The same as a key.
    fn key(self) -> Result<String, String> {
        match self {
            Self::Text(text) | Self::Int(text) => Ok(text),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Float(number) => Ok(float_key(number)),
            Self::Null => {
                Err("error converting YAML to JSON: unsupported map key of type: %!s(<nil>)".into())
            }
            Self::List(_) | Self::Map(_) => Err("yaml: invalid map key".into()),
        }
    }
}

/// Go's `strconv.FormatFloat(number, 'g', -1, 32)`, and YAML's names for what is no number.
fn float_key(number: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys are written with the precision of 32 bits"
    )]
    let short = number as f32;
    if short.is_nan() {
        return ".nan".into();
    }
    if short.is_infinite() {
        return if short > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = format!("{short:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // The shortest form takes an exponent beyond six digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    } else {
        short.to_string()
    }
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

    fn plain(&mut self, node: &Node) -> Result<Plain, String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err("yaml: document contains excessive aliasing".into());
        }
        match node {
            Node::Alias(_) => {
                let target = self.target(node)?;
                self.plain(&target)
            }
            Node::Scalar { text, plain, tag } => resolve(text, *plain, tag.as_deref()),
            Node::List(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.plain(item)).collect();
                items.map(Plain::List)
            }
            Node::Map(entries) => {
                let mut map = BTreeMap::new();
                self.entries(entries, &mut map)?;
                Ok(Plain::Map(map))
            }
        }
    }

    fn entries(
        &mut self,
        entries: &[(Node, Node)],
        map: &mut BTreeMap<String, Plain>,
    ) -> Result<(), String> {
        for (key, value) in entries {
            if matches!(key, Node::Scalar { text, plain: true, tag: None } if text == "<<") {
                self.merge(value, map)?;
                continue;
            }
            let key = self.plain(key)?.key()?;
            let value = self.plain(value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn merge(&mut self, value: &Node, map: &mut BTreeMap<String, Plain>) -> Result<(), String> {
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

/// A scalar's value.
fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Plain, String> {
    let string = || Ok(Plain::Text(text.to_owned()));
    let value = match tag {
        None if !plain => return string(),
        Some("!!str") => return string(),
        Some("!!binary") => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            let decoded = decoded
                .map_err(|_| "yaml: !!binary value contains invalid base64 data".to_owned())?;
            return Ok(Plain::Text(String::from_utf8_lossy(&decoded).into_owned()));
        }
        None | Some("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp") => {
            plain_scalar(text)
        }
        Some(_) => return string(),
    };
    let kind = match &value {
        Plain::Null => "!!null",
        Plain::Bool(_) => "!!bool",
        Plain::Int(_) => "!!int",
        Plain::Float(_) => "!!float",
        _ if is_date(text) => "!!timestamp",
        _ => "!!str",
    };
    match (tag, value) {
        (Some("!!float"), Plain::Int(number)) => number
            .parse()
            .map(Plain::Float)
            .map_err(|_| format!("yaml: cannot decode {text}")),
        (Some(tag), _) if tag != kind => {
            Err(format!("yaml: cannot decode {kind} `{text}` as a {tag}"))
        }
        (_, value) => Ok(value),
    }
}

/// The value of a plain scalar.
fn plain_scalar(text: &str) -> Plain {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Plain::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Plain::Bool(false);
        }
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        ".nan" | ".NaN" | ".NAN" => return Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Plain::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Plain::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let looks_like_a_number =
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !looks_like_a_number || is_date(text) {
        // A date becomes a string again.
        return Plain::Text(text.to_owned());
    }
    let bare = if text.starts_with('.') {
        text.to_owned()
    } else {
        text.replace('_', "")
    };
    if !text.starts_with('.') {
        if let Some(number) = parse_int_any_base(&bare) {
            return Plain::Int(number.to_string());
        }
        if let Ok(number) = bare.parse::<u64>()
            && !bare.starts_with(['+', '0'])
        {
            return Plain::Int(number.to_string());
        }
    }
    match bare.parse::<f64>() {
        Ok(number) if is_float(&bare) && number.is_finite() => Plain::Float(number),
        _ => Plain::Text(text.to_owned()),
    }
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
