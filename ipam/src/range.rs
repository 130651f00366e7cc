//! [`Taken`]: a set of numbers kept as runs, so that the first free number is found in O(log n) with any pattern of
//! holes, and an IPv6 subnet costs no more than an IPv4 one.

use std::collections::BTreeMap;

/// First and last number.
type Run = (u128, u128);

/// Taken numbers as runs, each from its first to its last number; runs neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    runs: BTreeMap<u128, u128>,
}

impl Taken {
    /// Whether a number is taken.
    pub fn contains(&self, number: u128) -> bool {
        self.run_of(number).is_some()
    }

    /// Takes a number; answers whether it was free.
    pub fn insert(&mut self, number: u128) -> bool {
        let (before, after) = self.beside(number);
        let free = before.is_none_or(|(_, last)| last < number);
        if free {
            self.join(number, before, after);
        }
        free
    }

    /// Takes the first free number from `start` on, going around from the end of the interval to its begin.
    pub fn take(&mut self, start: u128, first: u128, last: u128) -> Option<u128> {
        let (before, after) = self.beside(start);
        if before.is_none_or(|(_, last)| last < start) && start <= last {
            self.join(start, before, after);
            return Some(start);
        }
        let number = self.next_free(start, first, last)?;
        self.insert(number);
        Some(number)
    }

    /// The run that begins at a number or before it, and the one that begins right behind it: one descent for both.
    fn beside(&self, number: u128) -> (Option<Run>, Option<Run>) {
        let mut runs = self.runs.range(..=number.saturating_add(1)).map(|(first, last)| (*first, *last));
        match runs.next_back() {
            Some(after) if after.0 > number => (runs.next_back(), Some(after)),
            before => (before, None),
        }
    }

    /// Puts in a free number, as part of the runs that it touches.
    fn join(&mut self, number: u128, before: Option<Run>, after: Option<Run>) {
        let first = before.filter(|(_, last)| last + 1 == number).map_or(number, |(first, _)| first);
        if let Some((next, _)) = after {
            self.runs.remove(&next);
        }
        self.runs.insert(first, after.map_or(number, |(_, last)| last));
    }

    /// Frees a number; answers whether it was taken.
    pub fn remove(&mut self, number: u128) -> bool {
        let Some((first, last)) = self.run_of(number) else { return false };
        self.runs.remove(&first);
        if first < number {
            self.runs.insert(first, number - 1);
        }
        if number < last {
            self.runs.insert(number + 1, last);
        }
        true
    }

    /// The first free number between two, both included.
    pub fn first_free(&self, from: u128, to: u128) -> Option<u128> {
        let free = match self.run_of(from) {
            None => from,
            // The number behind a run is free, because runs do not touch.
            Some((_, last)) => last.checked_add(1)?,
        };
        (free <= to).then_some(free)
    }

    /// The first free number from `start` on, going around from the end of the interval to its begin.
    pub fn next_free(&self, start: u128, first: u128, last: u128) -> Option<u128> {
        let around = || start.checked_sub(1).filter(|end| *end >= first).and_then(|end| self.first_free(first, end));
        self.first_free(start, last).or_else(around)
    }

    /// How many numbers between two, both included, are taken; all of them count one less than they are.
    pub fn count(&self, from: u128, to: u128) -> u128 {
        let begin = self.run_of(from).map_or(from, |(first, _)| first);
        let runs = self.runs.range(begin..=to);
        runs.fold(0, |sum: u128, (first, last)| {
            let part = last.min(&to) - first.max(&from);
            sum.saturating_add(part).saturating_add(1)
        })
    }

    fn run_of(&self, number: u128) -> Option<(u128, u128)> {
        let (first, last) = self.runs.range(..=number).next_back()?;
        (*last >= number).then_some((*first, *last))
    }
}

#[cfg(test)]
mod tests;
