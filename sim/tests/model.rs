//! The race for addresses as a small model, explored completely: two managers whose caches of addresses are of any age,
//! three claims, three addresses, and the API server between them. What a manager wants to do is asked of the shipped
//! decision.
//!
//! A state holds what the server has, and for each manager which claims its cache knows, how it knows each address, and
//! which writes it still has in hand. A claim is unknown to a cache for any time; once known it is known as it is when
//! the manager decides, and grows old only while writes are in hand: each of them has the claim's version for its
//! condition. (Old claims in a cache are what `stale` and `blind` explore in `ipam_faults.rs`.) From every state every
//! possible next step is taken: a manager looks and decides, a manager's next
//! write arrives, its cache learns of one claim or address, it dies and starts anew. Two managers may serve one claim
//! at once; then one of the addresses ends. The rules are checked in every state, and
//! from every state an end must be reachable where all claims are served.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

use api::ipam::{IPAddress, IPClaim, IPPool, address_name};
use api::names::finalizer;
use ipam::decide::decide;
use ipam::kinds::{Address, Claim};
use ipam::view::{AddressSeen, ClaimSeen, ClusterSeen, PoolView};
use kit::key::Key;
use kit::pass::Write;
use serde_json::json;

const CLAIMS: usize = 3;
const ADDRESSES: usize = 3;
const MANAGERS: usize = 2;

/// A claim on the server; its fields tell its resourceVersion, because it only moves forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Row {
    held: bool,
    told: Option<u8>,
}

/// For each address the claims that have an object of it, as bits. With unique names at most one.
type Given = [u8; ADDRESSES];

/// A write in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Op {
    /// The finalizer, if the claim is still as it was seen.
    Hold(Row),
    /// The address object.
    Create(u8),
    /// The claim's status, if the claim is still as it was seen.
    Tell(Row, u8),
    /// An address object of the claim ends.
    End(u8),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Manager {
    /// Claims that its cache knows, as bits; how they are now is known then.
    claims: u8,
    /// Addresses that its cache knows.
    seen: Given,
    /// Writes in hand for each claim, the next one first; chains of different claims go on independently.
    chains: [Vec<Op>; CLAIMS],
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    claims: [Row; CLAIMS],
    given: Given,
    managers: [Manager; MANAGERS],
}

fn ip(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, index + 1)
}

fn index_of(name: &str) -> u8 {
    name.rsplit('-').next().and_then(|last| last.parse::<u8>().ok()).expect("an address name") - 1
}

fn claim_name(index: usize) -> String {
    format!("c{index}")
}

/// What the shipped decision wants, for claims and addresses as a manager sees them.
fn wanted(claims: &[Row; CLAIMS], known: u8, seen: Given) -> [Vec<Op>; CLAIMS] {
    let view = view(claims, known, seen);
    let plan = decide(&view);
    assert!(plan.writes.is_empty(), "the pool needs nothing: {:?}", plan.writes);
    let mut chains: [Vec<Op>; CLAIMS] = Default::default();
    for chain in plan.call.iter().flat_map(|round| &round.chains) {
        let index: usize = chain.claim.name[1..].parse().expect("a claim's number");
        let mut row = claims[index];
        for write in &chain.writes {
            let op = op(write, row);
            row.held |= matches!(op, Some(Op::Hold(_)));
            chains[index].extend(op);
        }
    }
    chains
}

/// A write as the model knows it; taking the finalizer off an address is part of its end.
fn op(write: &Write, row: Row) -> Option<Op> {
    let exact = || assert!(write.target().resource_version.is_some(), "no precondition: {write:?}");
    match write {
        Write::Patch { target, .. } if target.resource.kind == "IPAddress" => None,
        Write::Patch { .. } => {
            exact();
            Some(Op::Hold(row))
        }
        Write::Create { target, .. } => Some(Op::Create(index_of(&target.key.name))),
        Write::Status { body, .. } => {
            // A claim that finds no address for a moment is told so; that gives and takes nothing.
            let Some(name) = body["status"]["address"]["name"].as_str() else {
                assert!(row.told.is_none(), "an address is taken back: {body}");
                return None;
            };
            exact();
            Some(Op::Tell(row, index_of(name)))
        }
        Write::Delete { target } => Some(Op::End(index_of(&target.key.name))),
    }
}

fn owner(kind: &str, uid: &str) -> serde_json::Value {
    json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": kind, "name": uid, "uid": uid })
}

fn view(claims: &[Row; CLAIMS], known: u8, seen: Given) -> PoolView {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let pool: IPPool = serde_json::from_value(json!({
        "metadata": { "namespace": "ns", "name": "p", "uid": "p", "finalizers": [finalizer::IP_POOL] },
        "spec": { "namePrefix": "n", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.3" }] },
    }))
    .unwrap();
    let claim = |(index, row): (usize, &Row)| {
        let object: IPClaim = serde_json::from_value(json!({
            "metadata": {
                "namespace": "ns", "name": claim_name(index), "uid": claim_name(index), "resourceVersion": "1",
                "finalizers": if row.held { json!([finalizer::IP_CLAIM]) } else { json!([]) },
            },
            "spec": { "pool": { "name": "p" } },
            "status": row.told.map(|told| json!({
                "address": { "name": address_name("n", ip(told).into()), "namespace": "ns" },
            })),
        }))
        .unwrap();
        ClaimSeen { claim: Claim::Metal3(Arc::new(object)), hold_off: None }
    };
    let address = |(index, bits): (usize, &u8)| -> Vec<AddressSeen> {
        let of = |holder: usize| {
            let address = ip(index as u8);
            let object: IPAddress = serde_json::from_value(json!({
                "metadata": {
                    "namespace": "ns", "name": address_name("n", address.into()), "uid": format!("a{index}{holder}"),
                    "finalizers": [finalizer::IP_ADDRESS],
                    "ownerReferences": [owner("IPPool", "p"), owner("IPClaim", &claim_name(holder))],
                },
                "spec": { "address": address.to_string(), "pool": { "name": "p" }, "claim": { "name": claim_name(holder) } },
            }))
            .unwrap();
            AddressSeen { address: Address::Metal3(Arc::new(object)), claim_is_gone: false }
        };
        (0..CLAIMS).filter(|holder| bits & (1 << holder) != 0).map(of).collect()
    };
    PoolView {
        key: Key::new("ns", "p"),
        pool: Some(Arc::new(pool)),
        cluster: ClusterSeen::Unnamed,
        claims: claims.iter().enumerate().filter(|(index, _)| known & (1 << index) != 0).map(claim).collect(),
        addresses: seen.iter().enumerate().flat_map(address).collect(),
        neighbours: Vec::new(),
        busy: None,
        unasked: 0,
        seed: 0,
        now,
    }
}

/// What a pass gathers: its cache, and by a live read each address that a claim was told and the cache does not know.
fn gathered(state: &State, manager: &Manager) -> Given {
    let mut seen = manager.seen;
    for (claim, row) in state.claims.iter().enumerate().filter(|(claim, _)| manager.claims & (1 << claim) != 0) {
        if let Some(told) = row.told.map(usize::from) {
            // A cache has one object under a name; what is read replaces it.
            if state.given[told] & (1 << claim) != 0 {
                seen[told] = state.given[told];
            }
        }
    }
    seen
}

/// What the API server lets happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Two objects of one kind cannot have one name.
    Unique,
    /// They can.
    Shared,
}

struct Explorer {
    names: Names,
    decisions: HashMap<([Row; CLAIMS], u8, Given), [Vec<Op>; CLAIMS]>,
}

/// What was found.
#[derive(Debug, Default)]
struct Outcome {
    states: usize,
    steps: usize,
    ends: usize,
    /// The shortest way to a broken rule.
    broken: Option<(String, Vec<String>)>,
    /// States from which no end can be reached.
    stuck: usize,
}

impl Explorer {
    fn wanted(&mut self, claims: [Row; CLAIMS], known: u8, seen: Given) -> [Vec<Op>; CLAIMS] {
        self.decisions.entry((claims, known, seen)).or_insert_with(|| wanted(&claims, known, seen)).clone()
    }

    /// Every step from a state, with its name.
    fn next(&mut self, state: &State) -> Vec<(String, State)> {
        let mut all = Vec::new();
        for (who, manager) in state.managers.iter().enumerate() {
            if manager.chains.iter().all(Vec::is_empty) {
                let chains = self.wanted(state.claims, manager.claims, gathered(state, manager));
                if chains.iter().any(|chain| !chain.is_empty()) {
                    let mut after = state.clone();
                    after.managers[who].chains = chains;
                    all.push((format!("manager {who} decides"), after));
                }
            } else {
                let mut after = state.clone();
                after.managers[who] = Manager { claims: (1 << CLAIMS) - 1, seen: state.given, ..Manager::default() };
                all.push((format!("manager {who} dies and starts anew"), after));
            }
            for claim in (0..CLAIMS).filter(|claim| !manager.chains[*claim].is_empty()) {
                all.push(self.arrive(state, who, claim));
            }
            for claim in (0..CLAIMS).filter(|claim| manager.claims & (1 << claim) == 0) {
                let mut after = state.clone();
                after.managers[who].claims |= 1 << claim;
                all.push((format!("manager {who} sees claim {claim}"), after));
            }
            for address in (0..ADDRESSES).filter(|address| manager.seen[*address] != state.given[*address]) {
                let mut after = state.clone();
                after.managers[who].seen[address] = state.given[address];
                all.push((format!("manager {who} sees address {address}"), after));
            }
        }
        all
    }

    /// The next write of a chain arrives; its answer is in the writer's cache at once.
    fn arrive(&self, state: &State, who: usize, claim: usize) -> (String, State) {
        let mut after = state.clone();
        let op = after.managers[who].chains[claim].remove(0);
        let fine = match op {
            Op::Hold(seen) => {
                let fine = after.claims[claim] == seen;
                after.claims[claim].held |= fine;
                fine
            }
            Op::Create(address) => {
                let slot = &mut after.given[usize::from(address)];
                let fine = *slot == 0 || self.names == Names::Shared;
                if fine {
                    *slot |= 1 << claim;
                    after.managers[who].seen[usize::from(address)] = after.given[usize::from(address)];
                }
                fine
            }
            Op::Tell(seen, address) => {
                let fine = after.claims[claim] == seen;
                if fine {
                    after.claims[claim].told = Some(address);
                }
                fine
            }
            Op::End(address) => {
                after.given[usize::from(address)] &= !(1 << claim);
                after.managers[who].seen[usize::from(address)] &= !(1 << claim);
                true
            }
        };
        if !fine {
            after.managers[who].chains[claim].clear();
        }
        (format!("manager {who}, claim {claim}: {op:?}{}", if fine { "" } else { " is refused" }), after)
    }

    fn explore(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut numbers: HashMap<State, usize> = HashMap::from([(State::default(), 0)]);
        let mut came: Vec<Option<(usize, String)>> = vec![None];
        let mut back: Vec<Vec<usize>> = vec![Vec::new()];
        let mut ends = Vec::new();
        let mut open = VecDeque::from([(0, State::default())]);
        while let Some((number, state)) = open.pop_front() {
            if let Some(rule) = broken(&state) {
                outcome.broken = Some((rule, way(&came, number)));
                break;
            }
            let steps = self.next(&state);
            if steps.is_empty() {
                assert!(state.claims.iter().all(|row| row.told.is_some()), "an end without service: {state:?}");
                let one_each = state.given.iter().all(|bits| bits.is_power_of_two());
                assert!(one_each, "an end with something left over: {state:?}");
                ends.push(number);
            }
            for (name, after) in steps {
                outcome.steps += 1;
                let moved = |claim: &usize| {
                    let (old, new) = (state.claims[*claim].told, after.claims[*claim].told);
                    old.is_some() && old != new
                };
                if let Some(claim) = (0..CLAIMS).find(moved) {
                    let mut way = way(&came, number);
                    way.push(name);
                    outcome.broken = Some((format!("claim {claim} is told another address"), way));
                    return outcome;
                }
                let known = numbers.get(&after).copied();
                let target = known.unwrap_or_else(|| {
                    let new = numbers.len();
                    numbers.insert(after.clone(), new);
                    came.push(Some((number, name)));
                    back.push(Vec::new());
                    open.push_back((new, after));
                    new
                });
                back[target].push(number);
            }
        }
        outcome.states = numbers.len();
        outcome.ends = ends.len();
        if outcome.broken.is_none() {
            outcome.stuck = outcome.states - reachable(&back, ends);
        }
        outcome
    }
}

/// How many states lead to one of these.
fn reachable(back: &[Vec<usize>], ends: Vec<usize>) -> usize {
    let mut good = vec![false; back.len()];
    let mut open = ends;
    while let Some(number) = open.pop() {
        if !std::mem::replace(&mut good[number], true) {
            open.extend(&back[number]);
        }
    }
    good.into_iter().filter(|good| *good).count()
}

fn way(came: &[Option<(usize, String)>], mut number: usize) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some((before, step)) = &came[number] {
        steps.push(step.clone());
        number = *before;
    }
    steps.reverse();
    steps
}

/// The rule that a state breaks.
fn broken(state: &State) -> Option<String> {
    if let Some(address) = state.given.iter().position(|bits| bits.count_ones() > 1) {
        return Some(format!("address {address} is given twice"));
    }
    let mut told: BTreeMap<u8, usize> = BTreeMap::new();
    for (claim, row) in state.claims.iter().enumerate() {
        let Some(address) = row.told else { continue };
        if state.given[usize::from(address)] != 1 << claim {
            return Some(format!("claim {claim} is told address {address}, which it does not have"));
        }
        if let Some(other) = told.insert(address, claim) {
            return Some(format!("claims {other} and {claim} are told the same address"));
        }
    }
    None
}

fn explore(names: Names) -> Outcome {
    Explorer { names, decisions: HashMap::new() }.explore()
}

#[test]
fn two_managers_with_addresses_of_any_age_never_give_one_twice() {
    let outcome = explore(Names::Unique);
    println!("{} states, {} steps, {} ends", outcome.states, outcome.steps, outcome.ends);
    assert_eq!(outcome.broken, None);
    assert_eq!(outcome.stuck, 0, "states from which no end can be reached");
    assert!(outcome.ends > 0);
}

#[test]
fn without_unique_names_the_model_finds_the_way_to_an_address_given_twice() {
    let (rule, way) = explore(Names::Shared).broken.expect("a broken rule");
    println!("{rule} by\n  {}", way.join("\n  "));
    assert!(rule.ends_with("is given twice"), "{rule}");
}
