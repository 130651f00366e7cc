//! Rendered data as YAML text that every reader takes alike: block style, keys in order, any doubtful text quoted. Pure.

use std::fmt::Write as _;

use serde_json::Value;

/// The document. Keys of maps are in byte order.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(&mut out, value, 0),
        _ => {
            scalar(&mut out, value);
            out.push('\n');
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A container that is not empty; the cursor is at its first column.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (i, (name, member)) in members.into_iter().enumerate() {
                pad(out, if i == 0 { 0 } else { indent });
                text(out, name);
                out.push(':');
                // A list's dashes stand in the column of its key.
                below(out, member, if member.is_array() { indent } else { indent + 2 });
            }
        }
        Value::Array(list) => {
            for (i, element) in list.iter().enumerate() {
                pad(out, if i == 0 { 0 } else { indent });
                out.push('-');
                out.push(' ');
                if is_empty(element) || !(element.is_array() || element.is_object()) {
                    scalar(out, element);
                    out.push('\n');
                } else {
                    block(out, element, indent + 2);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value of a member, after its colon.
fn below(out: &mut String, value: &Value, indent: usize) {
    if is_empty(value) || !(value.is_array() || value.is_object()) {
        out.push(' ');
        scalar(out, value);
        out.push('\n');
    } else {
        out.push('\n');
        pad(out, indent);
        block(out, value, indent);
    }
}

fn pad(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

fn scalar(out: &mut String, value: &Value) {
    match value {
        Value::String(content) => text(out, content),
        // Writing to a String cannot fail. JSON's forms of the rest are YAML's, too.
        other => _ = write!(out, "{other}"),
    }
}

/// Plain where no reader takes it for anything but text, else quoted as JSON quotes, which is YAML, too.
fn text(out: &mut String, content: &str) {
    if is_plain(content) {
        out.push_str(content);
    } else {
        for c in Value::from(content).to_string().chars() {
            match c {
                // JSON leaves these as they are; YAML does not take them.
                '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
}

fn is_plain(content: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "null", "nan"];
    let word = content.starts_with(|c: char| c.is_ascii_alphabetic())
        && content.len() > 1
        && content.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    let lower = content.to_ascii_lowercase();
    (word && !WORDS.contains(&lower.as_str())) || content.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests;
