//! What must hold after every single write, and how a violation is named.
//!
//! The server's log is played back: after each write the rules below are asked about it. They look at what users and
//! other controllers can see, never into the manager.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use api::ipam::capi::{self, IPAddressClaim};
use api::ipam::{IPAddress, IPClaim, IPPool, RangeCounts, interval};
use api::names::finalizer;
use kit::key::Key;
use serde_json::Value;

use crate::kube::KindName;
use crate::kube::log::Commit;
use crate::referee::MANAGER;

/// Which rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oracle {
    /// The end differs from that of the undisturbed run.
    EndState,
    /// Two claims are told one address, or two objects of one address are left at the end.
    GivenTwice,
    /// A claim is told an address object that does not exist or is of another claim.
    WrongAnswer,
    /// An address ends while its claim lives and was told to have it.
    InUse,
    /// A claim or a pool ends before its addresses.
    Leak,
    /// An address is made without the finalizer that keeps it.
    Unguarded,
    /// A pool at rest shows other numbers, or other addresses in use, than its address objects have.
    Counts,
    /// Something is written though nothing happens.
    Rest,
    /// It takes too long, or never ends.
    Deadline,
    /// A pass panicked or a manager ended.
    Panic,
    /// An error was logged that only a mistake in the manager explains.
    ErrorLog,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which rule.
    pub oracle: Oracle,
    /// What happened, in words.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.oracle, self.what)
    }
}

/// The kinds that a scenario's end is made of. Events are for people and best effort.
pub fn kinds_of_interest() -> [KindName; 6] {
    [
        KindName::of::<IPPool>(),
        KindName::of::<IPClaim>(),
        KindName::of::<IPAddress>(),
        KindName::of::<IPAddressClaim>(),
        KindName::of::<capi::IPAddress>(),
        KindName::of::<api::capi::Cluster>(),
    ]
}

/// An object as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    kind: &'a KindName,
    key: &'a Key,
    value: &'a Value,
}

/// What an address object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSays<'a> {
    /// The address as written.
    pub text: &'a str,
    /// Kind of the claim that has it.
    pub claim_kind: &'static str,
    /// Name of the claim that has it.
    pub claim: &'a str,
    /// Its pool.
    pub pool: &'a str,
}

impl<'a> Object<'a> {
    /// From its parts.
    pub fn new(kind: &'a KindName, key: &'a Key, value: &'a Value) -> Self {
        Self { kind, key, value }
    }

    /// What it says when it is an address of either kind.
    pub fn address(&self) -> Option<AddressSays<'a>> {
        if self.kind.kind != "IPAddress" {
            return None;
        }
        let own = self.kind.group == api::ipam::GROUP;
        let (claim_kind, claim, pool) =
            if own { ("IPClaim", "claim", "pool") } else { ("IPAddressClaim", "claimRef", "poolRef") };
        let spec = &self.value["spec"];
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        Some(AddressSays {
            text: text(&spec["address"]),
            claim_kind,
            claim: text(&spec[claim]["name"]),
            pool: text(&spec[pool]["name"]),
        })
    }

    /// The address object that a claim was told.
    fn told(&self) -> Option<&'a str> {
        let status = &self.value["status"];
        let name = match self.kind.kind.as_str() {
            "IPClaim" => &status["address"]["name"],
            "IPAddressClaim" => &status["addressRef"]["name"],
            _ => return None,
        };
        name.as_str().filter(|name| !name.is_empty())
    }

    fn deleting(&self) -> bool {
        !self.value["metadata"]["deletionTimestamp"].is_null()
    }

    fn has_finalizer(&self, wanted: &str) -> bool {
        let names = self.value["metadata"]["finalizers"].as_array();
        names.is_some_and(|names| names.iter().any(|name| name == wanted))
    }

    fn owned_by(&self, uid: &Value) -> bool {
        let owners = self.value["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
    }
}

type Objects = BTreeMap<(KindName, Key), Arc<Value>>;

/// Plays back the log.
#[derive(Debug, Default)]
pub struct Watchdog {
    objects: Objects,
    /// Pool and address of every address object that there ever was: a claim may still be told what is gone.
    numbers: BTreeMap<(KindName, Key), (String, IpAddr)>,
    problems: Vec<Problem>,
}

/// Everything that was wrong after some write.
pub fn check(commits: &[Commit]) -> Vec<Problem> {
    let mut watchdog = Watchdog::default();
    for commit in commits {
        watchdog.see(commit);
    }
    watchdog.left_over();
    let miscounted: Vec<Problem> = watchdog.of_kind("IPPool").filter_map(|pool| watchdog.miscounted(pool)).collect();
    watchdog.problems.extend(miscounted);
    watchdog.problems
}

impl Watchdog {
    fn see(&mut self, commit: &Commit) {
        let id = (commit.kind.clone(), commit.key.clone());
        match &commit.after {
            Some(after) => self.objects.insert(id, after.clone()),
            None => self.objects.remove(&id),
        };
        let view = |value: &'_ Option<Arc<Value>>| value.clone();
        let (before, after) = (view(&commit.before), view(&commit.after));
        let before = before.as_deref().map(|value| Object::new(&commit.kind, &commit.key, value));
        let after = after.as_deref().map(|value| Object::new(&commit.kind, &commit.key, value));
        let by_manager = commit.client.starts_with(MANAGER);
        if let (None, Some(address)) = (before, after) {
            self.made(commit, address, by_manager);
        }
        if by_manager {
            self.told(commit, before, after);
            self.ended(commit, before, after);
        }
    }

    fn broken(&mut self, oracle: Oracle, commit: &Commit, what: &str) {
        self.problems.push(Problem { oracle, what: format!("{what} (after write {commit})") });
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Object<'a>> {
        let all = self.objects.iter().filter(move |((name, _), _)| name.kind == kind);
        all.map(|((kind, key), value)| Object::new(kind, key, value))
    }

    /// An address object was made.
    fn made(&mut self, commit: &Commit, made: Object<'_>, by_manager: bool) {
        let Some(says) = made.address() else { return };
        let guard = if says.claim_kind == "IPClaim" { finalizer::IP_ADDRESS } else { finalizer::CAPI_IP_ADDRESS };
        if by_manager && !made.has_finalizer(guard) {
            self.broken(Oracle::Unguarded, commit, "the address has no finalizer");
        }
        if let Ok(ip) = interval::parse(says.text) {
            self.numbers.insert((made.kind.clone(), made.key.clone()), (says.pool.to_owned(), ip));
        }
    }

    /// What a claim was told, as the object's name says; the object may be gone. Not so that of a claim in deletion,
    /// which is given back with its object.
    fn has(&self, claim: Object<'_>) -> Option<&(String, IpAddr)> {
        let id = (KindName::new(claim.kind.group.clone(), "IPAddress"), Key::new(&claim.key.namespace, claim.told()?));
        let given_back = claim.deleting() && !self.objects.contains_key(&id);
        self.numbers.get(&id).filter(|_| !given_back)
    }

    /// A claim was told an address: nobody else may have been.
    fn given_twice(&mut self, commit: &Commit, claim: Object<'_>) {
        let Some((pool, ip)) = self.has(claim).cloned() else { return };
        let other = |other: &Object<'_>| {
            (other.kind, other.key) != (claim.kind, claim.key)
                && other.key.namespace == claim.key.namespace
                && self.has(*other).is_some_and(|(p, i)| (p, i) == (&pool, &ip))
        };
        let claims = self.of_kind("IPClaim").chain(self.of_kind("IPAddressClaim"));
        let others: Vec<String> =
            claims.filter(other).map(|other| format!("{} {}", other.kind.kind, other.key.name)).collect();
        for other in others {
            let what = format!("{ip} is given to {} {} and to {other}", claim.kind.kind, claim.key.name);
            self.broken(Oracle::GivenTwice, commit, &what);
        }
    }

    /// An object that no claim was told must not stay beside another of its address.
    fn left_over(&mut self) {
        let mut seen: BTreeMap<(String, &(String, IpAddr)), &Key> = BTreeMap::new();
        let mut problems = Vec::new();
        for (kind, key) in self.objects.keys() {
            let Some(number) = self.numbers.get(&(kind.clone(), key.clone())) else { continue };
            if let Some(other) = seen.insert((key.namespace.clone(), number), key) {
                let what = format!("{} has two objects at the end: {other} and {key}", number.1);
                problems.push(Problem { oracle: Oracle::GivenTwice, what });
            }
        }
        self.problems.extend(problems);
    }

    /// What a pool's status tells people at the end is counted here anew, from the objects.
    fn miscounted(&self, pool: Object<'_>) -> Option<Problem> {
        let typed: IPPool = serde_json::from_value(pool.value.clone()).ok()?;
        let status = typed.status.unwrap_or_default();
        let of_pool = |says: &AddressSays<'_>| says.pool == pool.key.name;
        let addresses = self.of_kind("IPAddress").filter(|address| address.key.namespace == pool.key.namespace);
        let addresses = addresses.filter_map(|address| address.address()).filter(of_pool);
        let used: BTreeSet<IpAddr> = addresses.filter_map(|says| interval::parse(says.text).ok()).collect();
        let mapped: BTreeSet<IpAddr> =
            status.allocations.values().filter_map(|text| interval::parse(text).ok()).collect();
        let ranges: Vec<_> = typed.spec.pools.iter().map(|range| range.interval().ok().flatten()).collect();
        let inside = |ip: &IpAddr| ranges.iter().flatten().any(|range| range.contains(*ip));
        let by_range = ranges.iter().map(|range| {
            let range = range.as_ref()?;
            Some((range.size(), used.iter().filter(|ip| range.contains(**ip)).count()))
        });
        let by_range: Vec<(u128, usize)> = by_range.map(Option::unwrap_or_default).collect();
        let shown = |range: &RangeCounts| (range.total.unsigned_abs().into(), range.used.unsigned_abs() as usize);
        let counts = status.ip_addresses.unwrap_or_default();
        let fine = mapped == used
            && counts.used == used.iter().filter(|ip| inside(ip)).count() as i64
            && counts.used + counts.free <= counts.total
            && by_range == status.ranges.iter().map(shown).collect::<Vec<_>>();
        let what = || format!("IPPool {} shows {}, but {used:?} are in use", pool.key, pool.value["status"]);
        (!fine).then(|| Problem { oracle: Oracle::Counts, what: what() })
    }

    /// A manager wrote a claim's status.
    fn told(&mut self, commit: &Commit, before: Option<Object<'_>>, after: Option<Object<'_>>) {
        let Some(name) = after.and_then(|claim| claim.told()) else { return };
        if before.and_then(|claim| claim.told()) == Some(name) {
            return;
        }
        let of_group = KindName::new(commit.kind.group.clone(), "IPAddress");
        let id = (of_group, Key::new(commit.key.namespace.clone(), name));
        let holder = self.objects.get(&id).map(|value| {
            let says = Object::new(&id.0, &id.1, value).address();
            says.map(|says| says.claim.to_owned()).unwrap_or_default()
        });
        match holder {
            None => self.broken(Oracle::WrongAnswer, commit, "the claim is told an address that does not exist"),
            Some(holder) if holder != commit.key.name => {
                let what = format!("the claim is told an address that {holder} has");
                self.broken(Oracle::WrongAnswer, commit, &what);
            }
            Some(_) => {}
        }
        if let Some(claim) = after {
            self.given_twice(commit, claim);
        }
    }

    /// A manager ended something, or lets it end.
    fn ended(&mut self, commit: &Commit, before: Option<Object<'_>>, after: Option<Object<'_>>) {
        let Some(before) = before else { return };
        let namespace = &commit.key.namespace;
        if let Some(says) = before.address() {
            let ends = after.is_none_or(|after| after.deleting() && !before.deleting());
            let claim = (KindName::new(commit.kind.group.clone(), says.claim_kind), Key::new(namespace, says.claim));
            let in_use = self.objects.get(&claim).is_some_and(|value| {
                let claim = Object::new(&claim.0, &claim.1, value);
                !claim.deleting() && claim.told() == Some(commit.key.name.as_str())
            });
            if ends && in_use {
                self.broken(Oracle::InUse, commit, "the address ends while its claim uses it");
            }
        }
        if after.is_some() {
            return;
        }
        let uid = &before.value["metadata"]["uid"];
        let (name, kind) = (&commit.key.name, commit.kind.kind.as_str());
        let left = self.of_kind("IPAddress").filter(|address| address.key.namespace == *namespace);
        let left = left.filter_map(|address| Some((address, address.address()?))).find(|(address, says)| match kind {
            "IPPool" => says.pool == name,
            "IPClaim" | "IPAddressClaim" => says.claim_kind == kind && says.claim == name && address.owned_by(uid),
            _ => false,
        });
        if let Some(text) = left.map(|(_, says)| says.text.to_owned()) {
            self.broken(Oracle::Leak, commit, &format!("{kind} ends before its address {text}"));
        }
    }
}
