//! The dates of SigV4: `20150830T123600Z`.

use emu_core::Timestamp;
use jiff::{fmt::rfc2822, tz::TimeZone};

/// A moment together with its basic ISO 8601 form, as it enters the string to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmzDate {
    text: [u8; 16],
    at: Timestamp,
}

impl AmzDate {
    /// Reads `yyyymmddThhmmssZ`, and nothing else.
    pub fn basic(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().try_fold(0i16, |n, b| {
                b.is_ascii_digit().then(|| n * 10 + i16::from(b - b'0'))
            })
        };
        let small = |range| number(range).map(|n| n as i8);
        let at = jiff::civil::DateTime::new(
            number(0..4)?,
            small(4..6)?,
            small(6..8)?,
            small(9..11)?,
            small(11..13)?,
            small(13..15)?,
            0,
        )
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp();
        Some(Self { text: bytes, at })
    }

    /// Reads a `Date` header: RFC 2822, or the basic form.
    pub fn http(text: &str) -> Option<Self> {
        Self::basic(text).or_else(|| Some(Self::from(rfc2822::parse(text).ok()?.timestamp())))
    }

    /// `yyyymmddThhmmssZ`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// `yyyymmdd`.
    pub fn day(&self) -> &str {
        &self.as_str()[..self.as_str().len().min(8)]
    }

    /// The moment.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl From<Timestamp> for AmzDate {
    fn from(at: Timestamp) -> Self {
        let text = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        Self {
            text: text.as_bytes().try_into().unwrap_or(*b"00000000T000000Z"),
            at,
        }
    }
}

impl std::fmt::Display for AmzDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_the_basic_form() {
        let date = AmzDate::basic("20150830T123600Z").unwrap();
        assert_eq!(date.at().to_string(), "2015-08-30T12:36:00Z");
        assert_eq!(AmzDate::from(date.at()), date);
        assert_eq!(date.day(), "20150830");
        assert_eq!(AmzDate::http("Sun, 30 Aug 2015 12:36:00 GMT"), Some(date));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2015-08-30T12:36:00Z",
            "20150830T123600.1Z",
            "20151330T123600Z",
            "2015083éT12360Z",
            "20150830T123600z",
        ] {
            assert_eq!(AmzDate::basic(text), None, "{text}");
        }
    }
}
