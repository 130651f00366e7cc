//! Random walks through a small world: machines with caches that lag, hosts whose controller works at its own pace,
//! answers that are lost, deletions at any time. After each write no machine uses two hosts and no host was taken
//! from its user; in the end every machine that stays has a host, and the others have left nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::infra::v1beta2::Metal3Machine;
use api::metal3::{BareMetalHost, ProvisioningState};
use kit::Kind;
use kit::pass::{Done, Key, Next, Write};

use super::consumer::Consumer;
use super::fixture::{apply, available, delete, machine, meta, now, owner, view};
use super::view::{Hosts, View};
use super::{life, provision, status};

/// The objects as the API server has them, or as a cache had them.
#[derive(Clone, Default)]
struct Objects {
    machines: BTreeMap<String, Metal3Machine>,
    hosts: BTreeMap<String, BareMetalHost>,
}

struct World {
    now: Objects,
    /// What the controller's cache shows; it lags.
    cache: Objects,
    version: u64,
}

/// A small generator of numbers (xorshift), so that a failing walk is repeated by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn versioned<K: Kind>(mut object: K, version: u64) -> K {
    object.meta_mut().resource_version = Some(version.to_string());
    object
}

impl World {
    fn new(machines: usize, hosts: usize) -> Self {
        let mut now = Objects::default();
        for i in 0..machines {
            let name = format!("m{i}");
            let mut machine = machine();
            machine.metadata =
                kube::core::ObjectMeta { finalizers: None, labels: machine.metadata.labels, ..meta(&name) };
            now.machines.insert(name, machine);
        }
        for i in 0..hosts {
            now.hosts.insert(format!("h{i}"), available(&format!("h{i}")));
        }
        Self { cache: now.clone(), now, version: 1 }
    }

    /// The view of a machine: lists from the cache, the named host from the API server, as gathering does.
    fn view(&self, name: &str) -> Option<View> {
        let machine = self.cache.machines.get(name)?;
        let mut view = View { machine: Arc::new(machine.clone()), ..view() };
        view.owner = Some(Arc::new(api::capi::Machine {
            spec: api::capi::MachineSpec {
                bootstrap: api::capi::Bootstrap { data_secret_name: Some(format!("boot-{name}")), config_ref: None },
                ..owner().spec
            },
            ..owner()
        }));
        let user = Consumer::Machine(Key::new("ns", name));
        let ours = self.cache.hosts.values().filter(|host| Consumer::of(host) == user);
        view.hosts = Hosts { ours: ours.cloned().map(Arc::new).collect(), ..Hosts::default() };
        if view.hosts.ours.is_empty() {
            match view.named_host().and_then(|named| self.now.hosts.get(named)) {
                Some(host) if Consumer::of(host) == user => view.hosts.ours = vec![Arc::new(host.clone())],
                other => view.hosts.named = other.cloned().map(Arc::new),
            }
            view.hosts.candidates = self.cache.hosts.values().cloned().map(Arc::new).collect();
        }
        Some(view)
    }

    /// One pass. `lost` hides the effect of its writes from the cache, as a lost answer does.
    fn pass(&mut self, name: &str, lost: bool) -> Next {
        let Some(view) = self.view(name) else { return Next::Gone };
        let (plan, report) = life::decide(&view);
        assert!(plan.writes.len() <= 1, "more than one dependent write: {plan:?}");
        let mut done: Done<()> = Done { written: Vec::new(), failed: None, answer: None, late: None, at: now() };
        for write in &plan.writes {
            if !self.write(write, lost) {
                done.failed = Some(kit::pass::Fault::new(kit::pass::Class::Again, "Conflict", "changed meanwhile"));
            }
        }
        if plan.next != Next::Gone
            && let Some(write) = status::write(&view, &report, plan.next.why(), &done)
        {
            self.write(&write, lost);
        }
        plan.next
    }

    /// A write with its preconditions. Returns whether it was accepted.
    fn write(&mut self, write: &Write, lost: bool) -> bool {
        let target = write.target().clone();
        self.version += 1;
        let fits = |meta: &kube::core::ObjectMeta| {
            target.uid == meta.uid
                && (target.resource_version.is_none() || target.resource_version == meta.resource_version)
        };
        let name = target.key.name.clone();
        if target.resource.kind == "Metal3Machine" {
            let Some(before) = self.now.machines.get(&name).filter(|machine| fits(&machine.metadata)) else {
                return false;
            };
            let after = versioned(apply(before, write), self.version);
            let held = after.metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty());
            if after.metadata.deletion_timestamp.is_some() && !held {
                self.now.machines.remove(&name);
                self.cache.machines.remove(&name);
                return true;
            }
            self.now.machines.insert(name.clone(), after.clone());
            if !lost {
                self.cache.machines.insert(name, after);
            }
        } else {
            assert!(target.resource_version.is_some(), "a host is written without precondition: {write:?}");
            let Some(before) = self.now.hosts.get(&name).filter(|host| fits(&host.metadata)) else { return false };
            let after = versioned(apply(before, write), self.version);
            if let (Consumer::Machine(old), Consumer::Machine(new)) = (Consumer::of(before), Consumer::of(&after)) {
                assert_eq!(old, new, "host {name} was taken from its user");
            }
            if Consumer::of(before) != Consumer::of(&after) && Consumer::of(&after) == Consumer::None {
                assert!(!provision::deployed(before), "host {name} was freed with an image on it");
            }
            self.now.hosts.insert(name.clone(), after.clone());
            if !lost {
                self.cache.hosts.insert(name, after);
            }
        }
        self.check();
        true
    }

    /// No machine uses two hosts.
    fn check(&self) {
        let mut users: BTreeMap<Key, &str> = BTreeMap::new();
        for (name, host) in &self.now.hosts {
            if let Consumer::Machine(user) = Consumer::of(host)
                && let Some(other) = users.insert(user.clone(), name)
            {
                panic!("machine {user} uses both {other} and {name}");
            }
        }
    }

    /// The host's own controller takes one step.
    fn work(&mut self, name: &str) {
        let Some(host) = self.now.hosts.get(name).cloned() else { return };
        let next = match (provision::state(&host), provision::deployed(&host)) {
            (ProvisioningState::Available, true) => ProvisioningState::Provisioning,
            (ProvisioningState::Provisioning, true) => ProvisioningState::Provisioned,
            (ProvisioningState::Provisioned | ProvisioningState::Provisioning, false) => {
                ProvisioningState::Deprovisioning
            }
            (ProvisioningState::Deprovisioning, _) => ProvisioningState::Available,
            _ => return,
        };
        self.version += 1;
        let mut host = versioned(host, self.version);
        host.status.get_or_insert_default().provisioning.state = next;
        self.now.hosts.insert(name.to_owned(), host);
    }

    fn sync(&mut self) {
        self.cache = self.now.clone();
    }

    /// The cache sees one host only: harsher than a watch, whose events come in order.
    fn sync_host(&mut self, name: &str) {
        if let Some(host) = self.now.hosts.get(name) {
            self.cache.hosts.insert(name.to_owned(), host.clone());
        }
    }

    /// A host fails, or recovers.
    fn trouble(&mut self, name: &str, broken: bool) {
        let Some(host) = self.now.hosts.get(name).cloned() else { return };
        self.version += 1;
        let mut host = versioned(host, self.version);
        host.status.get_or_insert_default().error_message = if broken { "broken".to_owned() } else { String::new() };
        self.now.hosts.insert(name.to_owned(), host);
    }

    fn delete(&mut self, name: &str) {
        let Some(machine) = self.now.machines.get(name).filter(|m| m.metadata.deletion_timestamp.is_none()).cloned()
        else {
            return;
        };
        self.version += 1;
        if machine.metadata.finalizers.is_none() {
            self.now.machines.remove(name);
        } else {
            self.now.machines.insert(name.to_owned(), versioned(delete(machine), self.version));
        }
    }

    /// Everybody works until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..200 {
            let before = self.version;
            self.sync();
            for name in self.now.machines.keys().cloned().collect::<Vec<_>>() {
                self.pass(&name, false);
            }
            for name in self.now.hosts.keys().cloned().collect::<Vec<_>>() {
                self.work(&name);
            }
            if self.version == before {
                return;
            }
        }
        panic!("the world does not come to rest");
    }
}

#[test]
fn no_walk_makes_a_machine_use_two_hosts_and_every_walk_ends_well() {
    for seed in 1..=300_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = World::new(1 + dice.below(3), 1 + dice.below(3));
        for _ in 0..20 + dice.below(60) {
            let machine = format!("m{}", dice.below(3));
            let host = format!("h{}", dice.below(3));
            match dice.below(16) {
                0..=4 => drop(world.pass(&machine, dice.below(2) == 0)),
                5 => world.sync(),
                6..=8 => world.sync_host(&host),
                9..=10 => world.work(&host),
                11..=14 => world.trouble(&host, dice.below(2) == 0),
                _ if dice.below(4) == 0 => world.delete(&machine),
                _ => {}
            }
        }
        for host in ["h0", "h1", "h2"] {
            world.trouble(host, false);
        }
        world.settle();
        let users = world.now.hosts.values().filter(|host| matches!(Consumer::of(host), Consumer::Machine(_))).count();
        assert_eq!(users, world.now.machines.len().min(world.now.hosts.len()), "seed {seed}");
        let mut provisioned = 0;
        for machine in world.now.machines.values() {
            assert!(
                machine.metadata.deletion_timestamp.is_none(),
                "seed {seed}: {:?} is still there",
                machine.metadata.name
            );
            provisioned += usize::from(super::view::provisioned(machine));
        }
        assert_eq!(provisioned, users, "seed {seed}");
        for host in world.now.hosts.values() {
            let used = Consumer::of(host) != Consumer::None;
            assert_eq!(used, provision::deployed(host), "seed {seed}: {:?}", host.metadata.name);
        }
    }
}
