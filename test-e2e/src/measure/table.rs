//! What was measured, for people.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;

use super::meter::memory;

/// One figure per line.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(String, String)>);

impl Table {
    /// Adds a figure and shows it at once: a measurement that breaks off has told what it knew.
    pub(super) fn row(&mut self, what: &str, value: impl Into<String>) {
        let value = value.into();
        eprintln!("measured: {what}: {value}");
        self.0.push((what.to_owned(), value));
    }

    /// Adds the time since `start`.
    pub(super) fn seconds(&mut self, what: &str, start: Instant) {
        self.row(what, format!("{:.1} s", start.elapsed().as_secs_f64()));
    }

    /// Adds the memory of a process.
    pub(super) fn memory(&mut self, what: &str, pid: i32) -> Result<()> {
        self.row(what, format!("{:.1} MiB", memory(pid)?));
        Ok(())
    }

    /// Adds whole lines, such as those of a [`matrix`].
    pub(super) fn lines(&mut self, text: &str) {
        for line in text.lines() {
            eprintln!("measured: {line}");
            self.0.push((line.to_owned(), String::new()));
        }
    }

    /// Prints all of it.
    pub(super) fn print(&self) {
        let width = self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(what, _)| what.len()).max().unwrap_or(0);
        for (what, value) in &self.0 {
            if value.is_empty() {
                println!("{what}");
            } else {
                println!("{what:width$}  {value}");
            }
        }
    }
}

/// Rows of equal length as aligned columns; the first row is the heading.
pub(super) fn matrix(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Names to the left, figures to the right.
            let _ = if line.is_empty() { write!(line, "{cell:width$}") } else { write!(line, "  {cell:>width$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["what", "s"], ["longer", "10.5"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(matrix(&rows), "what       s\nlonger  10.5\n");
    }
}
