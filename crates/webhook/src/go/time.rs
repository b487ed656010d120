//! `metav1.Time`: only whether a text is one.

/// Whether Go's `time.Parse(time.RFC3339, text)` accepts a text.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    parse(text.as_bytes()).is_some()
}

fn parse(mut s: &[u8]) -> Option<()> {
    let year = digits(&mut s, 4, 4)?;
    expect(&mut s, b'-')?;
    let month = digits(&mut s, 2, 2)?;
    expect(&mut s, b'-')?;
    let day = digits(&mut s, 2, 2)?;
    expect(&mut s, b'T')?;
    // The hour may have one digit: Go's layout element takes either.
    let hour = digits(&mut s, 1, 2)?;
    expect(&mut s, b':')?;
    let minute = digits(&mut s, 2, 2)?;
    expect(&mut s, b':')?;
    let second = digits(&mut s, 2, 2)?;
    if let [b'.' | b',', rest @ ..] = s {
        let n = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        if n > 0 {
            s = &rest[n..];
        }
    }
    match s {
        [b'Z'] => {}
        [b'+' | b'-', zone @ ..] => {
            let mut zone = zone;
            let hours = digits(&mut zone, 2, 2)?;
            expect(&mut zone, b':')?;
            let minutes = digits(&mut zone, 2, 2)?;
            (hours <= 24 && minutes < 60 && zone.is_empty()).then_some(())?;
        }
        _ => return None,
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    ((1..=last).contains(&day) && hour < 24 && minute < 60 && second < 60).then_some(())
}

fn digits(s: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let n = s
        .iter()
        .take(most)
        .take_while(|c| c.is_ascii_digit())
        .count();
    if n < least {
        return None;
    }
    let (head, rest) = s.split_at(n);
    *s = rest;
    std::str::from_utf8(head).ok()?.parse().ok()
}

fn expect(s: &mut &[u8], wanted: u8) -> Option<()> {
    let (&first, rest) = s.split_first()?;
    *s = rest;
    (first == wanted).then_some(())
}

#[cfg(test)]
mod tests {
    use super::is_rfc3339;

    #[test]
    fn times() {
        for good in [
            "2026-08-11T10:20:30Z",
            "2024-02-29T00:00:00.123456789+02:00",
            "2026-08-11T1:20:30Z",
        ] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in [
            "",
            "2026-08-11",
            "2026-02-29T00:00:00Z",
            "2026-08-11T24:00:00Z",
            "2026-08-11t10:20:30Z",
            "2026-08-11T10:20:30",
            "2026-08-11T10:20:30Zz",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }
}
