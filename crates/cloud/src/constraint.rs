//! The constraints of the API models and the one message that lists all members that break them.
//!
//! Source: snapshots. STS prints the offending value (`Value 'x' at`), IAM does not (`Value at`). Lengths are counted in
//! Unicode scalar values.

use crate::ServiceError;

/// Collects the members of a request that break their constraints.
#[derive(Debug)]
pub(crate) struct Constraints {
    prints_values: bool,
    broken: Vec<String>,
}

impl Constraints {
    /// As STS words it.
    pub(crate) fn sts() -> Self {
        Self {
            prints_values: true,
            broken: Vec::new(),
        }
    }

    /// As IAM words it.
    pub(crate) fn iam() -> Self {
        Self {
            prints_values: false,
            broken: Vec::new(),
        }
    }

    /// The member must be there.
    pub(crate) fn present<'a>(&mut self, name: &str, value: Option<&'a str>) -> Option<&'a str> {
        if value.is_none() {
            let shown = if self.prints_values {
                "Value null"
            } else {
                "Value"
            };
            self.broken.push(format!(
                "{shown} at '{name}' failed to satisfy constraint: Member must not be null"
            ));
        }
        value
    }

    /// The member's characters must all be `allowed`; `pattern` is what AWS prints.
    pub(crate) fn characters(
        &mut self,
        name: &str,
        value: &str,
        pattern: &str,
        allowed: fn(char) -> bool,
    ) {
        let empty_is_wrong = pattern.ends_with('+') && value.is_empty();
        if empty_is_wrong || !value.chars().all(allowed) {
            self.add(
                name,
                value,
                &format!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
    }

    /// The member's length must be within bounds.
    pub(crate) fn length(&mut self, name: &str, value: &str, least: usize, most: usize) {
        let length = value.chars().count();
        self.count_of(name, value, length, least, most);
    }

    /// A list's length must be within bounds.
    pub(crate) fn count(&mut self, name: &str, count: usize, least: usize, most: usize) {
        self.count_of(name, "", count, least, most);
    }

    fn count_of(&mut self, name: &str, value: &str, count: usize, least: usize, most: usize) {
        if count < least {
            self.add(
                name,
                value,
                &format!("Member must have length greater than or equal to {least}"),
            );
        } else if count > most {
            self.add(
                name,
                value,
                &format!("Member must have length less than or equal to {most}"),
            );
        }
    }

    /// A number must be within bounds.
    pub(crate) fn range(&mut self, name: &str, value: i64, least: i64, most: i64) {
        if value < least {
            self.add(
                name,
                &value.to_string(),
                &format!("Member must have value greater than or equal to {least}"),
            );
        } else if value > most {
            self.add(
                name,
                &value.to_string(),
                &format!("Member must have value less than or equal to {most}"),
            );
        }
    }

    /// Adds a broken constraint in its own words.
    pub(crate) fn add(&mut self, name: &str, value: &str, constraint: &str) {
        let shown = if self.prints_values {
            format!("Value '{value}'")
        } else {
            "Value".into()
        };
        self.broken.push(format!(
            "{shown} at '{name}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// The one error for all of them.
    pub(crate) fn finish(self) -> Result<(), ServiceError> {
        match self.broken.len() {
            0 => Ok(()),
            n => Err(ServiceError::new(
                "ValidationError",
                400,
                format!(
                    "{n} validation error{} detected: {}",
                    if n == 1 { "" } else { "s" },
                    self.broken.join("; ")
                ),
            )),
        }
    }
}

/// `[\w+=,.@-]`: names of roles, users, policies, sessions.
pub(crate) fn name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// `[\w+=,.@:\/-]`: external ids.
pub(crate) fn external_id_character(c: char) -> bool {
    name_character(c) || c == ':' || c == '/'
}

/// The characters of an ARN. Snapshot: supplementary ones are refused though the pattern names them.
pub(crate) fn arn_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
}

/// `[\u0009\u000A\u000D\u0020-\u00FF]`: policy documents.
pub(crate) fn document_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`: tag keys and values.
pub(crate) fn tag_character(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c)
}

/// What AWS prints for [`arn_character`].
pub(crate) const ARN_PATTERN: &str =
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+";
/// What AWS prints for [`document_character`].
pub(crate) const DOCUMENT_PATTERN: &str = r"[\u0009\u000A\u000D\u0020-\u00FF]+";
/// What AWS prints for tag keys.
pub(crate) const TAG_KEY_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
/// What AWS prints for tag values.
pub(crate) const TAG_VALUE_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_several() {
        let mut c = Constraints::sts();
        c.range("durationSeconds", 899, 900, 43_200);
        assert_eq!(
            c.finish().unwrap_err().message,
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must \
             have value greater than or equal to 900"
        );
        let mut c = Constraints::sts();
        c.characters("roleArn", "", ARN_PATTERN, arn_character);
        c.length("roleArn", "", 20, 2_048);
        assert_eq!(
            c.finish().unwrap_err().message,
            r"2 validation errors detected: Value '' at 'roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+; Value '' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20"
        );
    }

    #[test]
    fn iam_keeps_the_value_to_itself() {
        let mut c = Constraints::iam();
        c.count("tags", 51, 0, 50);
        assert_eq!(
            c.finish().unwrap_err().message,
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less \
             than or equal to 50"
        );
    }
}
