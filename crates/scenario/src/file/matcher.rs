//! What a text is compared with.

use schemars::JsonSchema;
use serde::Deserialize;

/// A text, or a map of conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a text, or a map of equals, contains, matches, startsWith, not"
)]
pub enum Matcher {
    /// Exactly this.
    Exactly(String),
    /// All of these.
    Conditions(Conditions),
}

/// Conditions on a text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Conditions {
    /// Exactly this. One line feed at the end of what was found is overlooked.
    pub equals: Option<String>,
    /// This somewhere in it.
    pub contains: Option<String>,
    /// This at its start.
    pub starts_with: Option<String>,
    /// This regular expression somewhere in it.
    pub matches: Option<String>,
    /// This nowhere in it.
    pub not: Option<String>,
}

impl Matcher {
    /// Whether it fits; a regular expression that is none fits nothing.
    pub fn fits(&self, text: &str) -> bool {
        let trimmed = text.strip_suffix('\n').unwrap_or(text);
        match self {
            Self::Exactly(wanted) => trimmed == wanted.strip_suffix('\n').unwrap_or(wanted),
            Self::Conditions(c) => {
                let holds = |wanted: &Option<String>, test: &dyn Fn(&str) -> bool| {
                    wanted.as_deref().is_none_or(test)
                };
                holds(&c.equals, &|w| trimmed == w.strip_suffix('\n').unwrap_or(w))
                    && holds(&c.contains, &|w| text.contains(w))
                    && holds(&c.starts_with, &|w| text.starts_with(w))
                    && holds(&c.matches, &|w| {
                        regex::Regex::new(w).is_ok_and(|re| re.is_match(text))
                    })
                    && holds(&c.not, &|w| !text.contains(w))
            }
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(text) => write!(f, "`{text}`"),
            Self::Conditions(c) => {
                let parts: Vec<String> = [
                    ("exactly", &c.equals),
                    ("a text that contains", &c.contains),
                    ("a text that starts with", &c.starts_with),
                    ("a text that matches", &c.matches),
                    ("a text without", &c.not),
                ]
                .into_iter()
                .filter_map(|(word, value)| value.as_ref().map(|value| format!("{word} `{value}`")))
                .collect();
                f.write_str(&parts.join(" and "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_joined() {
        let matcher: Matcher =
            serde_json::from_value(serde_json::json!({ "contains": "b", "not": "x" })).unwrap();
        assert!(matcher.fits("abc"));
        assert!(!matcher.fits("abx"));
        assert!(Matcher::Exactly("abc".into()).fits("abc\n"));
    }
}
