//! What the server keeps: objects, their history, and who waits for what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kit::key::Key;
use serde_json::{Value, json};

use super::intercept::{Intercept, Verb};
use super::kinds::{Kind, KindName};
use super::log::{Commit, Request};
use super::meta;
use super::watch::Watch;

/// Letters of generated names: no vowels, no digits that look like letters.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The clock of the world.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Who makes a change, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) request: Option<u64>,
    pub(crate) client: Arc<str>,
    pub(crate) verb: Verb,
    pub(crate) subresource: Option<String>,
}

/// Which watches are held: of a kind, by one client or by all.
type Hold = (KindName, Option<Arc<str>>);

/// Everything behind the lock.
pub(crate) struct State {
    pub(crate) kinds: Vec<Arc<Kind>>,
    objects: BTreeMap<KindName, BTreeMap<Key, Arc<Value>>>,
    /// The version of the last write.
    pub(crate) version: u64,
    /// History up to this version is forgotten.
    pub(crate) compacted: u64,
    pub(crate) commits: Vec<Commit>,
    /// Positions in `commits` by kind.
    history: BTreeMap<KindName, Vec<usize>>,
    /// By position among all requests.
    pub(crate) requests: BTreeMap<u64, Request>,
    pub(crate) asked: u64,
    pub(crate) writes: u64,
    pub(crate) intercept: Option<Arc<dyn Intercept>>,
    pub(crate) watches: BTreeMap<u64, Watch>,
    pub(crate) next_watch: u64,
    pub(crate) holds: BTreeSet<Hold>,
    /// Events delivered so far, by client and kind.
    pub(crate) delivered: BTreeMap<(Arc<str>, KindName), u64>,
    clock: Clock,
    seed: u64,
    drawn: u64,
}

impl State {
    pub(crate) fn new(kinds: Vec<Kind>, clock: Clock) -> Self {
        Self {
            kinds: kinds.into_iter().map(Arc::new).collect(),
            objects: BTreeMap::new(),
            version: 0,
            compacted: 0,
            commits: Vec::new(),
            history: BTreeMap::new(),
            requests: BTreeMap::new(),
            asked: 0,
            writes: 0,
            intercept: None,
            watches: BTreeMap::new(),
            next_watch: 0,
            holds: BTreeSet::new(),
            delivered: BTreeMap::new(),
            clock,
            seed: 0,
            drawn: 0,
        }
    }

    pub(crate) fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The kind of a group and kind name.
    pub(crate) fn kind(&self, name: &KindName) -> Option<Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.name == *name).cloned()
    }

    pub(crate) fn get(&self, kind: &KindName, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(kind)?.get(key)
    }

    /// All objects of a kind.
    pub(crate) fn all(&self, kind: &KindName) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.get(kind).into_iter().flatten()
    }

    /// The objects of a kind as they were at a version, in the order of lists.
    pub(crate) fn at(&self, kind: &KindName, version: u64) -> Vec<(Key, Arc<Value>)> {
        let mut objects = self.objects.get(kind).cloned().unwrap_or_default();
        for commit in self.history(kind).rev().take_while(|commit| commit.version > version) {
            match &commit.before {
                Some(before) => objects.insert(commit.key.clone(), before.clone()),
                None => objects.remove(&commit.key),
            };
        }
        let mut list: Vec<_> = objects.into_iter().collect();
        list.sort_by_cached_key(|(key, _)| key.to_string());
        list
    }

    /// The writes of a kind, oldest first.
    pub(crate) fn history(&self, kind: &KindName) -> impl DoubleEndedIterator<Item = &Commit> + ExactSizeIterator {
        self.history.get(kind).map(Vec::as_slice).unwrap_or_default().iter().map(|position| &self.commits[*position])
    }

    /// The n-th write of a kind.
    pub(crate) fn nth(&self, kind: &KindName, n: usize) -> Option<&Commit> {
        let position = self.history.get(kind)?.get(n)?;
        self.commits.get(*position)
    }

    /// How many writes of a kind there are up to a version.
    pub(crate) fn count_until(&self, kind: &KindName, version: u64) -> usize {
        let positions = self.history.get(kind).map(Vec::as_slice).unwrap_or_default();
        positions.partition_point(|position| self.commits[*position].version <= version)
    }

    /// Makes a change: `None` takes the object away. Answers what is kept, with its new version.
    pub(crate) fn commit(&mut self, origin: &Origin, kind: &Kind, key: &Key, after: Option<Value>) -> Arc<Value> {
        self.version += 1;
        let before = self.get(&kind.name, key).cloned();
        let after = after.map(|mut object| {
            meta::set(&mut object, "resourceVersion", json!(self.version.to_string()));
            Arc::new(object)
        });
        let objects = self.objects.entry(kind.name.clone()).or_default();
        match &after {
            Some(object) => objects.insert(key.clone(), object.clone()),
            None => objects.remove(key),
        };
        self.history.entry(kind.name.clone()).or_default().push(self.commits.len());
        self.commits.push(Commit {
            version: self.version,
            at: self.now(),
            request: origin.request,
            client: origin.client.clone(),
            verb: origin.verb,
            subresource: origin.subresource.clone(),
            kind: kind.name.clone(),
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        });
        after.or(before).unwrap_or_default()
    }

    /// The next number of a fixed sequence (splitmix64).
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let mut number = self.seed.wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// A new uid, in the form of a random one.
    pub(crate) fn new_uid(&mut self) -> String {
        let (a, b) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48 & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// A name behind a prefix: five letters, and at most 63 characters in all.
    pub(crate) fn new_name(&mut self, prefix: &str) -> String {
        let mut number = self.draw();
        let mut name: String = prefix.chars().take(58).collect();
        for _ in 0..5 {
            let letter = LETTERS[(number % LETTERS.len() as u64) as usize];
            name.push(char::from(letter));
            number /= LETTERS.len() as u64;
        }
        name
    }
}
