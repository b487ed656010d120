//! Times as Go writes them.

use std::fmt::{self, Write};

use emu_core::Timestamp;

/// A time in UTC with up to nine digits of fraction, none of them a trailing zero (`time.RFC3339Nano`).
pub(crate) struct Rfc3339Nano(pub(crate) i128);

impl fmt::Display for Rfc3339Nano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (
            self.0.div_euclid(1_000_000_000) as i64,
            self.0.rem_euclid(1_000_000_000),
        );
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let in_day = seconds.rem_euclid(86_400);
        let (sign, year) = if year < 0 { ("-", -year) } else { ("", year) };
        write!(
            f,
            "{sign}{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            in_day / 3_600,
            in_day / 60 % 60,
            in_day % 60
        )?;
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_char('Z')
    }
}

/// Year, month and day of a day counted from 1970.
pub(crate) fn civil(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// The `Date` header of a second since 1970, 29 bytes.
pub(crate) fn http_date(seconds: i64) -> [u8; 29] {
    const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let days = seconds.div_euclid(86_400);
    let in_day = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let mut two = |at: usize, n: i64| {
        out[at] = b'0' + (n / 10 % 10) as u8;
        out[at + 1] = b'0' + (n % 10) as u8;
    };
    two(5, i64::from(day));
    two(12, year / 100);
    two(14, year % 100);
    two(17, in_day / 3_600);
    two(20, in_day / 60 % 60);
    two(23, in_day % 60);
    out[..3].copy_from_slice(DAYS[days.rem_euclid(7) as usize]);
    out[8..11].copy_from_slice(MONTHS[usize::from(month - 1)]);
    out
}

/// The difference of two times as a Go `time.Duration`: it saturates at about 292 years.
pub(crate) fn sub(a: i128, b: Timestamp) -> i64 {
    let nanos = a - b.as_nanosecond();
    nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// A Go duration as `Duration.String` writes it: `3h0m0s`, `1m30.5s`, `250ms`.
pub(crate) fn duration(nanos: i64) -> String {
    let magnitude = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let mut digits = format!(
            "{}.{:0width$}",
            value / unit,
            value % unit,
            width = unit.ilog10() as usize
        );
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
        digits
    };
    match magnitude {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{magnitude}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(magnitude, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        _ => {
            let minutes = magnitude / 60_000_000_000;
            let seconds = fraction(magnitude % 60_000_000_000, 1_000_000_000);
            match minutes {
                0 => format!("{sign}{seconds}s"),
                1..60 => format!("{sign}{minutes}m{seconds}s"),
                _ => format!("{sign}{}h{}m{seconds}s", minutes / 60, minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_end_without_zeros() {
        let nano = |n| Rfc3339Nano(n).to_string();
        assert_eq!(nano(1_893_456_000_000_000_000), "2030-01-01T00:00:00Z");
        assert_eq!(
            nano(827_912_723_123_456_789),
            "1996-03-27T07:45:23.123456789Z"
        );
        assert_eq!(nano(1_500_000_000), "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn dates_of_http() {
        assert_eq!(&http_date(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(3 * 3_600_000_000_000), "3h0m0s");
        assert_eq!(duration(90_500_000_000), "1m30.5s");
        assert_eq!(duration(250_000_000), "250ms");
    }
}
