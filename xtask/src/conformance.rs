//! The tables in `docs/conformance/` name the test that proves each row. A name without its test fails the check, so
//! that a table cannot promise what nobody tests any more.
//!
//! A name is `crate::module::test_name` or `path/of/file.rs: test_name`, in backticks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::root;

/// Lines above a function in which its test attribute must stand.
const ATTRIBUTES: usize = 6;

/// Checks every table.
pub(crate) fn check() -> Result<()> {
    let root = root()?;
    let folder = root.join("docs/conformance");
    let mut missing = Vec::new();
    let mut found = 0;
    for entry in fs::read_dir(&folder).context("listing docs/conformance")? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for name in names(&text) {
            if exists(&root, name) {
                found += 1;
            } else {
                missing.push(format!("{}: {name}", path.file_name().unwrap_or_default().to_string_lossy()));
            }
        }
    }
    if missing.is_empty() {
        println!("{found} names of tests in docs/conformance are right");
        return Ok(());
    }
    bail!("docs/conformance names tests that do not exist:\n{}", missing.join("\n"));
}

/// Everything in backticks that has the form of a test's name.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|name| is_file_name(name) || is_path(name))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_file_name(name: &str) -> bool {
    name.split_once(".rs: ").is_some_and(|(_, test)| is_word(test))
}

fn is_path(name: &str) -> bool {
    name.split("::").count() >= 3 && name.split("::").all(is_word)
}

fn exists(root: &Path, name: &str) -> bool {
    if let Some((file, test)) = name.split_once(": ") {
        return has_test(&root.join(file), test);
    }
    let parts: Vec<&str> = name.split("::").collect();
    let [crate_name, modules @ .., test] = parts.as_slice() else { return false };
    let sources = root.join(crate_name.replace('_', "-")).join("src");
    files(&sources, modules).iter().any(|file| has_test(file, test))
}

/// Where a module may be: in a file of its own, in a folder, or inside the file of its parent.
fn files(sources: &Path, modules: &[&str]) -> Vec<PathBuf> {
    let inner = modules.iter().collect::<PathBuf>();
    let outer = modules.split_last().map(|(_, outer)| outer.iter().collect::<PathBuf>()).unwrap_or_default();
    let mut all = vec![sources.join(&inner).with_extension("rs"), sources.join(&inner).join("mod.rs")];
    if outer.as_os_str().is_empty() {
        all.push(sources.join("lib.rs"));
    } else {
        all.extend([sources.join(&outer).with_extension("rs"), sources.join(&outer).join("mod.rs")]);
    }
    all
}

/// Whether the file has a test of this name.
fn has_test(file: &Path, test: &str) -> bool {
    let Ok(source) = fs::read_to_string(file) else { return false };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = |line: &&str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(test)).is_some_and(|rest| rest.starts_with('('))
    };
    let Some(at) = lines.iter().position(begins) else { return false };
    let above = &lines[at.saturating_sub(ATTRIBUTES)..at];
    above.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_followed_to_their_tests() {
        let text =
            "| `IPPool` | `xtask::conformance::tests::names_are_found_and_followed_to_their_tests` | `a/b.rs: c` |";
        let found: Vec<&str> = names(text).collect();
        assert_eq!(found.len(), 2);
        let root = root().unwrap();
        assert!(exists(&root, found[0]));
        assert!(!exists(&root, found[1]));
        assert!(exists(&root, "xtask/src/conformance.rs: names_are_found_and_followed_to_their_tests"));
        for wrong in ["xtask::conformance::tests::names_are_found", "xtask::conformance::exists", "no::such::test"] {
            assert!(!exists(&root, wrong), "{wrong}");
        }
    }

    #[test]
    fn every_name_in_the_tables_is_a_test() {
        check().unwrap();
    }
}
