//! The grammar of names, labels and finalizers.

use super::schema::{Problem, ProblemKind};

/// Longest name of an object.
const NAME: usize = 253;
/// Longest label value, and longest name part of a label key.
const LABEL: usize = 63;

/// What is wrong with an object's name; with `label` it has no dots and at most 63 characters.
pub(crate) fn name(name: &str, label: bool, field: &str) -> Vec<Problem> {
    let most = if label { LABEL } else { NAME };
    let mut found = Vec::new();
    if name.len() > most {
        found.push(Problem::new(ProblemKind::Invalid, field, format!("longer than {most} characters")));
    }
    let fits = if label { is_dns_label(name) } else { is_dns_name(name) };
    if !fits {
        found.push(Problem::new(ProblemKind::Invalid, field, "not a lowercase DNS name"));
    }
    found
}

/// What is wrong with the start of a name: a dash at its end is fine, since more follows.
pub(crate) fn name_prefix(prefix: &str, label: bool, field: &str) -> Vec<Problem> {
    match prefix.strip_suffix('-') {
        // The character before the dash is not looked at either.
        Some(start) if !start.is_empty() => {
            let start: String = start.chars().take(start.chars().count() - 1).chain(['a']).collect();
            name(&start, label, field)
        }
        _ => name(prefix, label, field),
    }
}

/// What is wrong with a label key, an annotation key or a finalizer: a name, optionally behind a domain and a slash.
pub(crate) fn qualified(key: &str, field: &str) -> Vec<Problem> {
    let problem = |why: &str| Problem::new(ProblemKind::Invalid, field, format!("{key}: {why}"));
    let mut found = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        ["", name] => {
            found.push(problem("the part before the slash is empty"));
            name
        }
        [prefix, name] => {
            if prefix.len() > NAME {
                found.push(problem("the domain is too long"));
            }
            if !is_dns_name(prefix) {
                found.push(problem("the part before the slash is no lowercase DNS name"));
            }
            name
        }
        _ => return vec![problem("more than one slash")],
    };
    if name.is_empty() {
        found.push(problem("the name is empty"));
    } else if name.len() > LABEL {
        found.push(problem("the name is longer than 63 characters"));
    }
    if !is_word(name) {
        found.push(problem("the name has characters that are not allowed"));
    }
    found
}

/// What is wrong with a label's value.
pub(crate) fn label_value(value: &str, field: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    if value.len() > LABEL {
        found.push(Problem::new(ProblemKind::Invalid, field, "the value is longer than 63 characters"));
    }
    if !value.is_empty() && !is_word(value) {
        found.push(Problem::new(ProblemKind::Invalid, field, format!("{value}: characters that are not allowed")));
    }
    found
}

/// Letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && end(text.chars().next()) && end(text.chars().next_back())
}

fn is_dns_name(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

fn is_dns_label(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let end = |c: Option<char>| c.is_some_and(letter);
    text.chars().all(|c| letter(c) || c == '-') && end(text.chars().next()) && end(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_finalizers_have_their_grammar() {
        let count = |found: Vec<Problem>| found.len();
        for (text, problems) in [("a", 0), ("a-1.b", 0), ("A", 1), ("-a", 1), ("a..b", 1), ("", 1)] {
            assert_eq!(count(name(text, false, "f")), problems, "{text}");
        }
        assert_eq!(count(name("a.b", true, "f")), 1);
        assert_eq!(count(name(&"a".repeat(254), false, "f")), 1);
        for (text, problems) in [("a-", 0), ("a.b-", 0), ("a", 0), ("-", 1), ("A-", 0), ("AA-", 1)] {
            assert_eq!(count(name_prefix(text, false, "f")), problems, "{text}");
        }
        let keys =
            [("a", 0), ("x.io/a_B.c", 0), ("", 2), ("/a", 1), ("x/", 2), ("a/b/c", 1), ("X.io/a", 1), ("a b", 1)];
        for (text, problems) in keys {
            assert_eq!(count(qualified(text, "f")), problems, "{text}");
        }
        for (text, problems) in [("", 0), ("a.b", 0), ("-a", 1), ("a/b", 1)] {
            assert_eq!(count(label_value(text, "f")), problems, "{text}");
        }
        assert_eq!(count(label_value(&"a".repeat(64), "f")), 1);
    }
}
