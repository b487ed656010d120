//! Typed values of conditions: numbers, dates, addresses, binary. A text that is none is `None`.

use std::net::IpAddr;

/// A decimal number. Words such as `inf` that Rust would read are no numbers here.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// `true` or `false`, in any case of letters.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A point in time: seconds since 1970 and nanoseconds.
pub(crate) type Instant = (i64, u32);

/// Epoch seconds, or W3C ISO 8601 (docs). Four digits alone are a year; a year may have a sign and more
/// digits, hours and minutes may be left out, `t` and `z` may be small (all recorded as accepted by AWS).
pub(crate) fn date(text: &str) -> Option<Instant> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() != 4 {
        return text.parse().ok().map(|seconds| (seconds, 0));
    }
    if let Some((whole, fraction)) = text.split_once('.')
        && !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some((whole.parse().ok()?, nanoseconds(fraction)?));
    }
    let (day, time) = match text.find(['t', 'T']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let (negative, day) = match day.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, day),
    };
    let mut parts = day.split('-');
    let year = unsigned(parts.next()?, 1, 9)?;
    let year = if negative { -year } else { year };
    if !(-292_275_054..=292_278_993).contains(&year) {
        return None;
    }
    let month = parts.next().map_or(Some(1), |part| unsigned(part, 1, 2))?;
    let date = parts.next().map_or(Some(1), |part| unsigned(part, 1, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&date) {
        return None;
    }
    let (seconds, nanos) = clock(time)?;
    Some((days_since_1970(year, month, date) * 86_400 + seconds, nanos))
}

/// Seconds of the day in UTC and nanoseconds; `hh[:mm[:ss[.fff]]][Z|+hh[:mm]|-hh[:mm]]`.
fn clock(text: &str) -> Option<(i64, u32)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let (time, offset) = if let Some(time) = text.strip_suffix(['z', 'Z']) {
        (time, 0)
    } else if let Some(at) = text.rfind(['+', '-']) {
        let sign = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
        let (hours, minutes) = match text[at + 1..].split_once(':') {
            Some((hours, minutes)) => (unsigned(hours, 2, 2)?, unsigned(minutes, 2, 2)?),
            None => (unsigned(&text[at + 1..], 2, 2)?, 0),
        };
        if hours > 23 || minutes > 59 {
            return None;
        }
        (&text[..at], sign * (hours * 3600 + minutes * 60))
    } else {
        (text, 0)
    };
    let mut parts = time.split(':');
    let hours = unsigned(parts.next()?, 1, 2)?;
    let minutes = parts.next().map_or(Some(0), |part| unsigned(part, 1, 2))?;
    let (seconds, nanos) = match parts.next() {
        None => (0, 0),
        Some(part) => match part.split_once('.') {
            None => (unsigned(part, 1, 2)?, 0),
            Some((seconds, fraction)) => (unsigned(seconds, 1, 2)?, nanoseconds(fraction)?),
        },
    };
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some((hours * 3600 + minutes * 60 + seconds - offset, nanos))
}

fn unsigned(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits =
        (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// A fraction of up to nine digits.
fn nanoseconds(fraction: &str) -> Option<u32> {
    let value = u32::try_from(unsigned(fraction, 1, 9)?).ok()?;
    let missing = u32::try_from(9 - fraction.len()).ok()?;
    Some(value * 10_u32.pow(missing))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant's `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A network in CIDR notation; a bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => widest,
            Some(bits) => u32::try_from(unsigned(bits, 1, 3)?).ok()?,
        };
        (bits <= widest).then_some(Self { address, bits })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// Standard base64, padding demanded, nothing else accepted.
pub(crate) fn binary(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut group, mut held) = (0_u32, 0);
    for byte in &bytes[..bytes.len() - padding] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        group = (group << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(((group >> held) & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_spelling() {
        let day = 1_498_867_200; // 2017-07-01T00:00:00Z
        for text in [
            "2017-07-01T00:00:00Z",
            "2017-07-01",
            "2017-07-01T00:00Z",
            "2017-07-01t00:00:00.000z",
            "1498867200",
            "2017-07-01T02:00:00+02:00",
            "2017-06-30T20:30:00-03:30",
            "2017-07-01T00",
            "2017-07",
        ] {
            assert_eq!(date(text), Some((day, 0)), "{text}");
        }
        assert_eq!(date("1970"), Some((0, 0)));
        assert_eq!(date("0"), Some((0, 0)));
        assert_eq!(
            date("2016-12-13T21:20:37.593194+00:00"),
            Some((1_481_664_037, 593_194_000))
        );
        assert!(date("-292275054").is_some());
        assert!(date("01T").is_some());
        assert!(date("2016-12-13t2:00:00.593194+23").is_some());
        for text in [
            "",
            "b",
            "234-13",
            "2016-12-13t2:00:00.593194+1",
            "2016-12-13t2:00:00.1999999999+10:59",
            "9223372036854775808",
            "2017-13-01",
            "2017-07-32",
            "2017-07-01T24:00:00Z",
            "2017-07-01-01",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn networks() {
        let inside = |network: &str, address: &str| {
            Network::parse(network)
                .unwrap()
                .contains(address.parse().unwrap())
        };
        assert!(inside("10.0.0.0/8", "10.255.0.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("10.1.2.3", "10.1.2.3"));
        assert!(inside("0.0.0.0/0", "1.2.3.4"));
        assert!(inside("2001:db8::/32", "2001:db8:1::1"));
        assert!(!inside("::/0", "1.2.3.4"));
        assert!(inside("::/0", "fe80::1"));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
        assert_eq!(Network::parse("ten"), None);
    }

    #[test]
    fn base64() {
        assert_eq!(binary("QmluYXJ5").unwrap(), b"Binary");
        assert_eq!(binary("QQ==").unwrap(), b"A");
        assert_eq!(binary("").unwrap(), b"");
        assert_eq!(binary("QQ="), None);
        assert_eq!(binary("Q?=="), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(number("10"), Some(10.0));
        assert_eq!(number(" -2.50"), Some(-2.5));
        assert_eq!(number("inf"), None);
        assert_eq!(number(""), None);
        assert_eq!(number("1,5"), None);
    }
}
