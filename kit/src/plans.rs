//! [`Book`]: what each controller decided last for each key, and what it waits for. Served at `/why/...`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::key::Key;
use crate::pass::{Fault, Next, Why, Write};

/// Entries kept per key.
pub const KEPT: usize = 20;

/// One pass, as people see it. Contains no object bodies, so no secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When the first of these equal passes ended.
    pub at: Timestamp,
    /// When the last of them ended.
    pub last: Timestamp,
    /// How many equal passes in a row.
    pub times: u64,
    /// Duration of the last one in milliseconds.
    pub took_ms: u64,
    /// Kubernetes writes, e.g. `patch IPClaim default/a`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// The external call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Problem>,
    /// What comes next: `rest`, `now`, `onChange`, `after`, `gone`.
    pub next: &'static str,
    /// Seconds until the next look, unless something changes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_in_seconds: Option<u64>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// A fault for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Who can help.
    pub class: String,
    /// CamelCase.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

/// A wait for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// CamelCase.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How long it normally takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normal_seconds: Option<u64>,
    /// The last evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

impl From<&Why> for Wait {
    fn from(why: &Why) -> Self {
        Self {
            reason: why.reason,
            message: why.message.clone(),
            since: why.since,
            normal_seconds: why.normal.map(|normal| normal.as_secs()),
            seen: why.seen.clone(),
        }
    }
}

impl Entry {
    /// An entry of a pass that ended now.
    pub fn new(at: Timestamp, took: Duration, next: &Next) -> Self {
        let (name, delay) = match next {
            Next::Rest => ("rest", None),
            Next::Now => ("now", None),
            Next::Changed(_) => ("onChange", None),
            Next::After(delay, _) => ("after", Some(delay.as_secs())),
            Next::Gone => ("gone", None),
        };
        Self {
            at,
            last: at,
            times: 1,
            took_ms: took.as_millis() as u64,
            writes: Vec::new(),
            call: None,
            fault: None,
            next: name,
            next_in_seconds: delay,
            wait: next.why().map(Wait::from),
        }
    }

    /// Adds what failed.
    #[must_use]
    pub fn with_fault(mut self, fault: Option<&Fault>) -> Self {
        self.fault = fault.map(|fault| Problem {
            class: format!("{:?}", fault.class),
            reason: fault.reason.to_owned(),
            message: fault.message.clone(),
        });
        self
    }

    fn same(&self, other: &Self) -> bool {
        let plain = |entry: &Self| Self { at: other.at, last: other.last, times: 1, took_ms: 0, ..entry.clone() };
        plain(self) == plain(other)
    }
}

/// A write in words.
pub fn describe(write: &Write) -> String {
    let verb = match write {
        Write::Create { .. } => "create",
        Write::Patch { .. } => "patch",
        Write::Status { .. } => "patch status of",
        Write::Delete { .. } => "delete",
    };
    let target = write.target();
    format!("{verb} {} {}", target.resource.kind, target.key)
}

type Pages = BTreeMap<(&'static str, Key), VecDeque<Entry>>;

/// The last passes of all keys. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pages: Arc<Mutex<Pages>>,
}

impl Book {
    /// Writes down a pass; an equal one only counts up.
    pub fn add(&self, controller: &'static str, key: &Key, entry: Entry) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.entry((controller, key.clone())).or_default();
        match page.back_mut() {
            Some(last) if last.same(&entry) => {
                last.times += 1;
                last.last = entry.last;
                last.took_ms = entry.took_ms;
            }
            _ => {
                if page.len() == KEPT {
                    page.pop_front();
                }
                page.push_back(entry);
            }
        }
    }

    /// The object is gone.
    pub fn forget(&self, controller: &'static str, key: &Key) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).remove(&(controller, key.clone()));
    }

    /// The passes of a key, oldest first.
    pub fn of(&self, controller: &str, key: &Key) -> Vec<Entry> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.iter().find(|((name, known), _)| *name == controller && known == key);
        page.map(|(_, entries)| entries.iter().cloned().collect()).unwrap_or_default()
    }

    /// What every key of a controller waits for now (those that rest are left out).
    pub fn waiting(&self, controller: Option<&str>) -> Vec<(&'static str, Key, Entry)> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let last = pages.iter().filter_map(|((name, key), page)| Some((*name, key.clone(), page.back()?.clone())));
        last.filter(|(name, _, entry)| {
            controller.is_none_or(|wanted| wanted == *name) && (entry.wait.is_some() || entry.fault.is_some())
        })
        .collect()
    }
}
