//! YAML in two manners: as the Go stack reads it (users' meta-data Secrets, manifests written for it), and ours.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, Options, options};

/// Why a YAML text could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The text is no YAML, or not of the expected shape.
    #[error("YAML cannot be read: {0}")]
    Read(String),
    /// The value has no YAML form.
    #[error("YAML cannot be written: {0}")]
    Write(String),
}

/// Reads as Go's reader does: `yes` and `off` are booleans, `010` is 8, of equal keys the last one counts.
pub fn parse_like_go<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let go: Options = options! { legacy_octal_numbers: true, duplicate_keys: DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, go).map_err(|error| YamlError::Read(error.to_string()))
}

/// Reads our own files: equal keys are an error.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str(text).map_err(|error| YamlError::Read(error.to_string()))
}

/// Writes a file for people. What machines read is written as JSON, which every YAML reader takes.
pub fn write(value: &impl Serialize) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError::Write(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_as_go_reads_them() {
        let text = "a: yes\nb: off\nc: 010\nd: 0o17\ne: 1_000\nf: 1:30\nf2: 2001-01-01\na: no\n";
        let read: serde_json::Value = parse_like_go(text).unwrap();
        let expected = serde_json::json!({
            "a": false, "b": false, "c": 8, "d": 15, "e": 1000, "f": "1:30", "f2": "2001-01-01",
        });
        assert_eq!(read, expected);
        assert!(matches!(parse::<serde_json::Value>("a: 1\na: 2\n"), Err(YamlError::Read(_))));
    }
}
