//! Pieces of the answers of IAM.

use emu_cloud::iam::Tag;
use emu_core::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Xml;

/// RFC 3986: everything but these and alphanumerics is encoded in policies (docs).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A policy document as it stands in answers.
pub(super) fn document(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// ISO 8601 in UTC, whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

pub(super) fn tags(xml: &mut Xml, tags: &[Tag]) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    });
}

pub(super) fn boundary(xml: &mut Xml, arn: Option<&str>) {
    if let Some(arn) = arn {
        xml.element("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy")
                .text("PermissionsBoundaryArn", arn);
        });
    }
}

/// `IsTruncated`, and `Marker` if there is more.
pub(super) fn page_end(xml: &mut Xml, marker: Option<&str>) {
    xml.text("IsTruncated", marker.is_some())
        .optional("Marker", marker);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded_without_plus() {
        assert_eq!(
            document("{\"a b\": \"é*~\"}"),
            "%7B%22a%20b%22%3A%20%22%C3%A9%2A~%22%7D"
        );
    }
}
