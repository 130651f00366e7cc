//! Durations as Go writes them, in fields, flags and variables: `1h2m3.5s`.

use jiff::SignedDuration;

/// The duration; `None` when the text is none, or one of more than 292 years, which Go has none of.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let nanoseconds = match &rest[..letters] {
            "h" => 3600e9,
            "m" => 60e9,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" | "μs" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        rest = &rest[letters..];
        let part = (number * nanoseconds).round();
        if part >= i64::MAX as f64 {
            return None;
        }
        total = total.checked_add(part as i64)?;
    }
    Some(SignedDuration::from_nanos(if negative { -total } else { total }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let table = [
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1h2m3.5s", 3_723_500),
            ("250ms", 250),
            ("3ms", 3),
            ("1.5s", 1500),
            (".5s", 500),
            ("1h.5m", 3_630_000),
            ("2000us", 2),
            ("2000µs", 2),
            ("-5m", -300_000),
            ("+1s", 1000),
            ("0", 0),
            ("0s", 0),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), Some(SignedDuration::from_millis(millis)), "{text:?}");
        }
        for text in ["", "-", "5", "s", "m5", "5 s", "5 m", "1d", "1.2.3s", ".s", "2562048h", "99999999999999999999h"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
