//! `resource.Quantity`: how Kubernetes reads an amount and how it writes it back.
//!
//! A line-by-line account of what apimachinery 0.36 does, quirks included: an amount that the fast path takes for
//! canonical is written as it was read (`1.500` stays), and a decimal exponent without a suffix of its own is lost.

use num_bigint::{BigInt, Sign};

/// 10^-9, the finest amount there is.
const NANO: i32 = -9;

/// Exponents beyond this are refused; the original would compute for hours.
const MAX_EXPONENT: i32 = 100_000;

/// How an amount was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    DecimalSi,
    BinarySi,
    DecimalExponent,
}

/// `unscaled * 10^-scale`.
#[derive(Clone, Debug, PartialEq)]
struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

#[derive(Clone, Debug, PartialEq)]
enum Amount {
    /// `value * 10^scale`.
    Small {
        value: i64,
        scale: i32,
    },
    Big(Decimal),
}

/// An amount.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    amount: Amount,
    format: Format,
    /// The text to write, if it needs no work.
    text: Option<String>,
}

impl Default for Quantity {
    fn default() -> Self {
        Self {
            amount: Amount::Small { value: 0, scale: 0 },
            format: Format::DecimalSi,
            text: None,
        }
    }
}

const WRONG_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";
const WRONG_NUMBER: &str = "unable to parse numeric part of quantity";

impl Quantity {
    /// Takes on JSON null: zero, but written as before if it was read before.
    pub(crate) fn set_null(&mut self) {
        self.amount = Amount::Small { value: 0, scale: 0 };
    }

    /// Reads an amount.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err(WRONG_FORMAT);
        }
        if text == "0" {
            return Ok(Self {
                text: Some(text.to_owned()),
                ..Self::default()
            });
        }
        let parts = Parts::split(text)?;
        let (base, exponent, format) = interpret(parts.suffix).ok_or(WRONG_SUFFIX)?;
        if let Some(quantity) = Self::parse_small(text, &parts, exponent, format)? {
            return Ok(quantity);
        }
        Self::parse_big(&parts, base, exponent, format)
    }

    /// The fast path: what fits in 64 bits.
    fn parse_small(
        text: &str,
        parts: &Parts<'_>,
        exponent: i32,
        format: Format,
    ) -> Result<Option<Self>, &'static str> {
        let digits = i32::try_from(parts.num.len() + parts.denom.len()).unwrap_or(i32::MAX);
        let decimals = i32::try_from(parts.denom.len()).unwrap_or(i32::MAX);
        let (scale, precision, mantissa) = match format {
            Format::DecimalExponent | Format::DecimalSi => {
                (exponent, 18_i32.saturating_sub(digits), 1)
            }
            Format::BinarySi if parts.denom.is_empty() => (
                0,
                15_i32.saturating_sub(digits) - exponent * 3 / 10 - 1,
                1_i64 << exponent,
            ),
            Format::BinarySi => return Ok(None),
        };
        let scale = scale.wrapping_sub(decimals);
        if precision < 0 || scale < NANO {
            return Ok(None);
        }
        let shifted = format!("{}{}", parts.num, parts.denom);
        let value: i64 = shifted.parse().map_err(|_| WRONG_NUMBER)?;
        let Some(result) = value.checked_mul(mantissa) else {
            return Ok(None);
        };
        let canonical = match format {
            Format::BinarySi => exponent % 10 == 0 && value & 7 != 0,
            _ => scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0'),
        };
        Ok(Some(Self {
            amount: Amount::Small {
                value: if parts.negative { -result } else { result },
                scale,
            },
            format,
            text: canonical.then(|| text.to_owned()),
        }))
    }

    fn parse_big(
        parts: &Parts<'_>,
        base: u32,
        exponent: i32,
        mut format: Format,
    ) -> Result<Self, &'static str> {
        if !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            return Err(WRONG_NUMBER);
        }
        let mut amount = Decimal::parse(parts.value).ok_or(WRONG_NUMBER)?;
        if base == 10 {
            amount.scale -= exponent;
        } else {
            amount.unscaled <<= exponent;
        }
        let negative = amount.unscaled.sign() == Sign::Minus;
        if negative {
            amount.unscaled = -amount.unscaled;
        }
        if amount.unscaled.sign() != Sign::NoSign {
            amount = amount.round_up(-NANO);
        }
        if format == Format::BinarySi {
            let max = Decimal::whole(i64::MAX);
            if amount.compare(&max).is_gt() {
                amount = max;
            }
            if amount.compare(&Decimal::whole(1)).is_lt() && amount.unscaled.sign() == Sign::Plus {
                format = Format::DecimalSi;
            }
        }
        if negative {
            amount.unscaled = -amount.unscaled;
        }
        Ok(Self {
            amount: Amount::Big(amount),
            format,
            text: None,
        })
    }

    /// The amount as Kubernetes writes it.
    pub(crate) fn canonical(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let amount = match &self.amount {
            Amount::Small { value, scale } => Decimal {
                unscaled: BigInt::from(*value),
                scale: scale.saturating_neg(),
            },
            Amount::Big(amount) => amount.clone(),
        };
        if amount.unscaled.sign() == Sign::NoSign {
            return "0".into();
        }
        if self.format == Format::BinarySi {
            let small = amount.compare(&Decimal::whole(-1024)).is_gt()
                && amount.compare(&Decimal::whole(1024)).is_lt();
            let whole = amount.round_up(0);
            if !small && whole.compare(&amount).is_eq() {
                let (number, times) = strip_factor(whole.unscaled, 1024);
                let suffix = binary_suffix(times * 10).unwrap_or("");
                return format!("{number}{suffix}");
            }
        }
        let (mut number, times) = strip_factor(amount.unscaled, 10);
        let mut exponent = times.saturating_sub(amount.scale);
        while exponent % 3 != 0 {
            number *= 10;
            exponent -= 1;
        }
        match self.format {
            Format::DecimalExponent if exponent == 0 => number.to_string(),
            Format::DecimalExponent => format!("{number}e{exponent}"),
            _ => format!("{number}{}", decimal_suffix(exponent).unwrap_or("")),
        }
    }
}

/// An amount's text, taken apart.
struct Parts<'a> {
    negative: bool,
    value: &'a str,
    num: &'a str,
    denom: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, &'static str> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let rest = unsigned.trim_start_matches('0');
        let mut parts = Self {
            negative: text.starts_with('-'),
            value: "0",
            num: "0",
            denom: "",
            suffix: "",
        };
        if rest.is_empty() {
            return Ok(parts);
        }
        let (num, rest) = split_while(rest, |c| c.is_ascii_digit());
        if !num.is_empty() {
            parts.num = num;
        }
        let rest = match rest.strip_prefix('.') {
            Some(rest) => {
                let (denom, rest) = split_while(rest, |c| c.is_ascii_digit());
                parts.denom = denom;
                rest
            }
            None => rest,
        };
        parts.value = &text[..text.len() - rest.len()];
        parts.suffix = rest;
        let (_, rest) = split_while(rest, |c| b"eEinumkKMGTP".contains(&c));
        let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let (_, rest) = split_while(rest, |c| c.is_ascii_digit());
        if rest.is_empty() {
            Ok(parts)
        } else {
            Err(WRONG_FORMAT)
        }
    }
}

fn split_while(text: &str, take: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|&c| take(c)).count())
}

fn interpret(suffix: &str) -> Option<(u32, i32, Format)> {
    if let Some(exponent) = (-9..=18).find(|&e| e % 3 == 0 && decimal_suffix(e) == Some(suffix)) {
        return Some((10, exponent, Format::DecimalSi));
    }
    if let Some(exponent) = (10..=60).find(|&e| binary_suffix(e) == Some(suffix)) {
        return Some((2, exponent, Format::BinarySi));
    }
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let exponent = super::parse_int(digits)?;
    // Go keeps the low 32 bits; nobody writes more.
    Some((10, i32::try_from(exponent).ok()?, Format::DecimalExponent))
}

fn decimal_suffix(exponent: i32) -> Option<&'static str> {
    Some(match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        0 => "",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => return None,
    })
}

fn binary_suffix(exponent: i32) -> Option<&'static str> {
    Some(match exponent {
        10 => "Ki",
        20 => "Mi",
        30 => "Gi",
        40 => "Ti",
        50 => "Pi",
        60 => "Ei",
        _ => return None,
    })
}

/// Moves all factors out of a number that is not zero.
fn strip_factor(mut number: BigInt, factor: u32) -> (BigInt, i32) {
    let mut times = 0;
    loop {
        if &number % factor != BigInt::ZERO {
            return (number, times);
        }
        number /= factor;
        times += 1;
    }
}

fn pow10(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}

impl Decimal {
    fn whole(value: i64) -> Self {
        Self {
            unscaled: value.into(),
            scale: 0,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{decimals}");
        Some(Self {
            unscaled: digits.parse().ok()?,
            scale: i32::try_from(decimals.len()).ok()?,
        })
    }

    /// The same to `scale` decimals, rounded away from zero.
    fn round_up(&self, scale: i32) -> Self {
        let dropped = self.scale.saturating_sub(scale);
        if dropped <= 0 {
            return Self {
                unscaled: &self.unscaled * pow10(dropped),
                scale,
            };
        }
        let one = match self.unscaled.sign() {
            Sign::Minus => BigInt::from(-1),
            Sign::NoSign => BigInt::ZERO,
            Sign::Plus => BigInt::from(1),
        };
        let divisor = pow10(dropped);
        let quotient = &self.unscaled / &divisor;
        let exact = &quotient * &divisor == self.unscaled;
        Self {
            unscaled: if exact { quotient } else { quotient + one },
            scale,
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let scale = self.scale.max(other.scale);
        let at = |d: &Self| &d.unscaled * pow10(scale.saturating_sub(d.scale));
        at(self).cmp(&at(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (text, canonical) in [
            ("0", "0"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1.500", "1.500"),
            ("+1", "+1"),
            ("1e3", "1e3"),
            ("1E4", "10e3"),
            ("0.1Ki", "102400m"),
            ("1000Ki", "1000Ki"),
            ("1001Ki", "1001Ki"),
            ("1.1m", "1100u"),
            ("0.0000000001", "1n"),
            ("9223372036854775807Ki", "9223372036854775807"),
            ("1000000000000000000E", "1"),
            (".", "0"),
            ("-1.5", "-1500m"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(
                Quantity::parse(text).map(|q| q.canonical()).as_deref(),
                Ok(canonical),
                "{text}"
            );
        }
        for bad in [
            "",
            "1x",
            "1 Gi",
            "abc",
            "1e",
            "--1",
            "1.2.3",
            "1e99999999999",
        ] {
            assert!(Quantity::parse(bad).is_err(), "{bad}");
        }
        assert!(Quantity::parse("1234567890123456789e999999999").is_err());
        assert_eq!(Quantity::default().canonical(), "0");
    }
}
