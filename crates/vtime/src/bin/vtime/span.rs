//! Durations as people write them: `90s`, `1h30m`, `-2h`.

/// Nanoseconds of a duration; units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, and a sign before the whole.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a duration such as 90s, 24h, 1h30m or 250ms");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total = 0i64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_len = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        let unit: i64 = match unit {
            "d" => 86_400_000_000_000,
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" => 1_000,
            "ns" => 1,
            _ => return Err(wrong()),
        };
        let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = next;
    }
    Ok(sign * total)
}

/// A duration in nanoseconds as people read it.
pub(crate) fn show(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "+" };
    let (seconds, rest) = (
        ns.unsigned_abs() / 1_000_000_000,
        ns.unsigned_abs() % 1_000_000_000,
    );
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match rest {
        0 => format!("{sign}{h}h{m:02}m{s:02}s"),
        rest => format!("{sign}{h}h{m:02}m{s:02}.{rest:09}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(parse("-2h"), Ok(-7_200_000_000_000));
        assert_eq!(parse("250ms"), Ok(250_000_000));
        for wrong in ["", "-", "h", "10", "1x", "9999999999999h", "1h-2m", "é"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(show(5_400_000_000_000), "+1h30m00s");
        assert_eq!(show(-1_500_000_000), "-0h00m01.500000000s");
    }
}
