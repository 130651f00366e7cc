//! Durations as Go writes them: `1h2m3.5s`.

/// Whole seconds of a duration, fractions cut off; `None` when it is not one.
pub(super) fn seconds(text: &str) -> Option<i64> {
    crate::duration::parse(text).map(|duration| duration.as_secs())
}

/// A duration of whole seconds as Go writes it.
pub(super) fn text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let all = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        (_, _) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (input, expected) in [
            ("600s", Some(600)),
            ("10m0s", Some(600)),
            ("1h2m3.9s", Some(3723)),
            ("1500ms", Some(1)),
            ("0", Some(0)),
            ("-5m", Some(-300)),
            ("", None),
            ("5", None),
            ("5 m", None),
            ("m5", None),
        ] {
            assert_eq!(seconds(input), expected, "{input:?}");
        }
        for (input, expected) in [(0, "0s"), (59, "59s"), (600, "10m0s"), (3600, "1h0m0s"), (3723, "1h2m3s")] {
            assert_eq!(text(input), expected);
            assert_eq!(seconds(expected), Some(input));
        }
    }
}
