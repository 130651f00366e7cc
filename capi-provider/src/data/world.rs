//! Both controllers together in a small world: objects with finalizers and owners, a stub of the machine controller,
//! of an address provider and of garbage collection. Whatever is deleted when, and wherever a pass is cut short,
//! data is made for living machines and nothing is left of dead ones.

use std::collections::BTreeMap;

use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine};
use api::ipam::{IPAddress, IPClaim};
use k8s_openapi::api::core::v1::Secret;
use kit::Kind;
use kit::client::Io;
use kit::pass::{Controller, Done, Found, Key, Plan, Write};
use kit::runtime::SecretMeta;
use kit::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixture::{claim, cluster, host, metal3_machine, now, object, template};
use super::gather::Sources;
use super::life::Datas;
use super::template::Templates;

type Id = (String, String);

/// The API server's objects by kind and name, and the caches over them.
struct World {
    objects: BTreeMap<Id, Value>,
    sources: Sources,
    /// Objects written so far: the source of uids and resourceVersions.
    made: u64,
    /// Writes of all actors.
    writes: u64,
}

fn id<K: Kind>(name: &str) -> Id {
    (K::kind(&()).into_owned(), name.to_owned())
}

/// Every object is known to the caches; what they do not know does not exist.
fn io_without_answers() -> Io {
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404});
        let body = kube::client::Body::from(serde_json::to_vec(&status).unwrap());
        Ok::<_, std::convert::Infallible>(http::Response::builder().status(404).body(body).unwrap())
    });
    Io::new(kube::Client::new(service, "ns"))
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

fn is_held(object: &Value) -> bool {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|names| !names.is_empty())
}

fn show<K: Kind>(store: &Store<K>, name: &str, object: Option<&Value>) {
    match object {
        Some(object) => store.seen(serde_json::from_value(object.clone()).unwrap()),
        None => store.vanished(&Key::new("ns", name), None),
    }
}

impl World {
    /// A cluster, a template with a pool, a host and as many machines as wanted, all with claims.
    fn new(machines: usize) -> Self {
        let sources = Sources::fixed(io_without_answers());
        sources.clusters.seen(cluster());
        sources.hosts.seen(host());
        let mut world = Self { objects: BTreeMap::new(), sources, made: 0, writes: 0 };
        let mut fresh = template(&json!({
            "metaData": {"ipAddressesFromPool": [{"key": "ip", "name": "p"}], "indexes": [{"key": "i"}]},
            "networkData": {"networks": {"ipv4": [{"id": "n", "link": "l", "fromPoolRef": {"name": "q"}}]}}
        }));
        fresh.metadata.finalizers = None;
        world.put(serde_json::to_value(fresh).unwrap());
        for i in 0..machines {
            world.machine(&format!("m{i}"));
        }
        world
    }

    /// A machine with its owner and its claim, as the machine controller makes them.
    fn machine(&mut self, name: &str) {
        let owner: api::capi::Machine = object(&format!("{name}-owner"), json!({"spec": {"clusterName": "c"}}));
        self.sources.machines.seen(owner);
        let mut machine: Metal3Machine = object(name, json!({"spec": metal3_machine().spec}));
        machine.metadata.annotations = metal3_machine().metadata.annotations;
        machine.metadata.owner_references = serde_json::from_value(json!([{
            "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": format!("{name}-owner"), "uid": "u"
        }]))
        .unwrap();
        machine.metadata.finalizers = Some(vec!["metal3machine.infrastructure.cluster.x-k8s.io".to_owned()]);
        self.put(serde_json::to_value(machine).unwrap());
        self.claim(name);
    }

    fn claim(&mut self, name: &str) {
        let mut claim = claim(name);
        claim.metadata.uid = Some(format!("uid-{name}-{}", self.made));
        self.put(serde_json::to_value(claim).unwrap());
    }

    fn put(&mut self, mut object: Value) {
        self.made += 1;
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let id = (object["kind"].as_str().unwrap().to_owned(), name);
        object["metadata"]["resourceVersion"] = json!(self.made.to_string());
        if is_deleting(&object) && !is_held(&object) {
            self.objects.remove(&id);
        } else {
            self.objects.insert(id.clone(), object);
        }
        self.shown(&id);
    }

    /// The caches see the object as it is.
    fn shown(&self, id: &Id) {
        let (object, name, caches) = (self.objects.get(id), id.1.as_str(), &self.sources);
        match id.0.as_str() {
            "Metal3DataTemplate" => show::<Metal3DataTemplate>(&caches.templates, name, object),
            "Metal3DataClaim" => show::<Metal3DataClaim>(&caches.claims, name, object),
            "Metal3Data" => show::<Metal3Data>(&caches.datas, name, object),
            "Metal3Machine" => show::<Metal3Machine>(&caches.metal3_machines, name, object),
            "IPClaim" => show::<IPClaim>(&caches.ip_claims, name, object),
            "IPAddress" => show::<IPAddress>(&caches.ip_addresses, name, object),
            "Secret" => show::<SecretMeta>(&caches.secrets, name, object),
            other => panic!("{other}"),
        }
    }

    fn delete(&mut self, id: &Id) {
        let Some(object) = self.objects.get(id) else { return };
        let mut object = object.clone();
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.put(object);
    }

    /// Performs a write as the API server does; `false` when a precondition fails.
    fn apply(&mut self, write: &Write) -> bool {
        self.writes += 1;
        let target = write.target();
        let id = (target.resource.kind.clone(), target.key.name.clone());
        let known = self.objects.get(&id).cloned();
        let same = |object: &Value| {
            let is = |field: &str, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| object["metadata"][field] == json!(wanted))
            };
            is("uid", &target.uid) && is("resourceVersion", &target.resource_version)
        };
        match (write, known) {
            (Write::Create { body, .. }, None) => {
                let mut object = body.clone();
                object["metadata"]["uid"] = json!(format!("uid-{}-{}", id.1, self.made));
                object["kind"] = json!(id.0);
                object["apiVersion"] = json!(target.resource.api_version);
                self.put(object);
                true
            }
            (Write::Patch { body, .. } | Write::Status { body, .. }, Some(mut object)) if same(&object) => {
                merge(&mut object, body);
                self.put(object);
                true
            }
            (Write::Delete { .. }, Some(object)) if same(&object) => {
                self.delete(&id);
                true
            }
            (Write::Delete { .. }, None) => true,
            _ => false,
        }
    }

    /// One pass, cut short after `limit` writes, as if the process died there.
    async fn pass<C: Controller<Call = kit::pass::NoCall, Answer = ()>>(
        &mut self,
        controller: &C,
        name: &str,
        limit: usize,
    ) {
        let Found::View(view) = controller.gather(&Key::new("ns", name)).await else { return };
        let plan = controller.decide(&view);
        let Plan { writes, next, notes, .. } = plan;
        let mut failed = None;
        for (done, write) in writes.iter().enumerate() {
            if done >= limit {
                return;
            }
            if !self.apply(write) {
                failed = Some(kit::pass::Fault::new(kit::pass::Class::Again, "Conflict", "conflict"));
                break;
            }
        }
        let done = Done { written: Vec::new(), failed, answer: None, late: None, at: now() };
        let record = controller.record(&view, Plan { writes, notes, ..Plan::wait(next) }, &done);
        if let Some(status) = record.status {
            self.apply(&status);
        }
    }

    /// Every actor acts once.
    async fn round(&mut self, limit: usize) {
        let (templates, datas) = (Templates { sources: self.sources.clone() }, Datas { sources: self.sources.clone() });
        self.pass(&templates, "t", limit).await;
        for name in self.names("Metal3Data") {
            self.pass(&datas, &name, limit).await;
        }
        self.machine_controller();
        self.addresses();
        self.collect();
    }

    async fn settle(&mut self) {
        for _ in 0..40 {
            let before = self.writes;
            self.round(usize::MAX).await;
            if self.writes == before {
                return;
            }
        }
        panic!("it never rests: {:#?}", self.objects.keys());
    }

    fn names(&self, kind: &str) -> Vec<String> {
        self.objects.keys().filter(|(own, _)| own == kind).map(|(_, name)| name.clone()).collect()
    }

    fn strip(&mut self, id: &Id, prefix: &str) {
        let Some(mut object) = self.objects.get(id).cloned() else { return };
        if let Some(names) = object.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            let before = names.len();
            names.retain(|name| !name.as_str().unwrap().starts_with(prefix));
            if names.len() == before {
                return;
            }
        }
        self.writes += 1;
        self.put(object);
    }

    /// Lets go of the claim of a machine that is being deleted, then of the machine. A claim deleted under a living
    /// machine is let go, too, and made anew.
    fn machine_controller(&mut self) {
        for name in self.names("Metal3Machine") {
            let (id, claim) = (id::<Metal3Machine>(&name), id::<Metal3DataClaim>(&name));
            if is_deleting(&self.objects[&id]) {
                self.strip(&claim, "metal3machine.");
                self.delete(&claim);
                self.strip(&id, "metal3machine.");
            } else if self.objects.get(&claim).is_some_and(is_deleting) {
                self.strip(&claim, "metal3machine.");
            } else if !self.objects.contains_key(&claim) {
                self.writes += 1;
                self.claim(&name);
            }
        }
    }

    /// Gives every living claim an address of its own, and lets go of those being deleted.
    fn addresses(&mut self) {
        for name in self.names("IPClaim") {
            let id = id::<IPClaim>(&name);
            let mut object = self.objects[&id].clone();
            if is_deleting(&object) {
                self.objects.remove(&self::id::<IPAddress>(&format!("a-{name}")));
                self.shown(&self::id::<IPAddress>(&format!("a-{name}")));
                self.strip(&id, "ipclaim.");
            } else if object.pointer("/status/address").is_none() {
                self.writes += 1;
                object["metadata"]["finalizers"].as_array_mut().unwrap().push(json!("ipclaim.ipam.metal3.io"));
                object["status"] = json!({"address": {"name": format!("a-{name}")}});
                let spec =
                    json!({"claim": {"name": name}, "pool": {}, "address": format!("10.0.0.{}", self.made % 250)});
                let mut address: IPAddress = super::fixture::object(&format!("a-{name}"), json!({"spec": spec}));
                address.metadata.uid = Some(format!("uid-a-{name}-{}", self.made));
                self.put(serde_json::to_value(address).unwrap());
                self.put(object);
            }
        }
    }

    /// Deletes what is owned only by objects that are gone.
    fn collect(&mut self) {
        for id in self.objects.keys().cloned().collect::<Vec<_>>() {
            let object = &self.objects[&id];
            let owners: Vec<&Value> =
                object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten().collect();
            let lives = |owner: &&Value| {
                let of = (owner["kind"].as_str().unwrap().to_owned(), owner["name"].as_str().unwrap().to_owned());
                of.0 == "Machine" || self.objects.get(&of).is_some_and(|known| known["metadata"]["uid"] == owner["uid"])
            };
            if !owners.is_empty() && !owners.iter().any(lives) && !is_deleting(object) {
                self.writes += 1;
                self.delete(&id);
            }
        }
    }

    fn living(&self, kind: &str) -> usize {
        self.objects.iter().filter(|((own, _), object)| own == kind && !is_deleting(object)).count()
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn machines_get_data_and_leave_nothing_behind() {
    run(async {
        let mut world = World::new(3);
        world.settle().await;
        let names: Vec<String> = world.names("Metal3Data");
        assert_eq!(names, ["t-0", "t-1", "t-2"]);
        assert_eq!((world.living("Secret"), world.living("IPClaim")), (6, 6));
        for name in names {
            assert_eq!(world.objects[&id::<Metal3Data>(&name)]["status"], json!({"ready": true}));
        }
        let meta = world.objects[&id::<Secret>("m1-metadata")]["data"]["metaData"].as_str().unwrap().to_owned();
        assert!(!meta.is_empty());
        world.delete(&id::<Metal3Machine>("m1"));
        world.settle().await;
        assert_eq!(world.names("Metal3Data"), ["t-0", "t-2"]);
        assert_eq!((world.living("Secret"), world.living("IPClaim"), world.names("IPAddress").len()), (4, 4, 4));
        world.machine("m9");
        world.settle().await;
        assert_eq!(world.names("Metal3Data"), ["t-0", "t-1", "t-2"], "the gap is filled");
    });
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    run(async {
        let mut world = World::new(3);
        world.settle().await;
        let before = world.writes;
        world.round(usize::MAX).await;
        assert_eq!(world.writes, before);
    });
}

/// What somebody does.
#[derive(Debug, Clone)]
enum Event {
    /// Deletes an object, by its place in the list of all.
    Delete(prop::sample::Index),
    /// All act; every pass is cut short after so many writes.
    Act(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        1 => any::<prop::sample::Index>().prop_map(Event::Delete),
        4 => (0..6_usize).prop_map(Event::Act),
    ];
    proptest::collection::vec(event, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_deletions_and_crashes_ends_well(events in events()) {
        run(async {
            let mut world = World::new(3);
            for event in &events {
                match event {
                    Event::Delete(which) => {
                        let all: Vec<Id> = world.objects.keys().cloned().collect();
                        // The address provider alone deletes addresses; a Secret in use is nobody's to delete.
                        let all: Vec<Id> =
                            all.into_iter().filter(|(kind, _)| kind != "IPAddress" && kind != "Secret").collect();
                        if !all.is_empty() {
                            world.delete(which.get(&all));
                        }
                    }
                    Event::Act(limit) => world.round(*limit).await,
                }
            }
            world.settle().await;
            for name in world.names("Metal3Machine") {
                // A machine has data while it lives, whatever else was deleted; but for an index that was deleted
                // itself, and an address that was taken away between its two Secrets.
                let claim = world.objects.get(&id::<Metal3DataClaim>(&name));
                let answer = claim.and_then(|claim| claim.pointer("/status/renderedData/name")?.as_str());
                let data = answer.and_then(|data| world.objects.get(&id::<Metal3Data>(data)));
                let half = ["metadata", "networkdata"]
                    .iter()
                    .any(|part| world.objects.contains_key(&id::<Secret>(&format!("{name}-{part}"))));
                let served = half
                    || data.is_some_and(|data| is_deleting(data) || data["status"]["ready"] == json!(true));
                let template = world.objects.contains_key(&id::<Metal3DataTemplate>("t"));
                prop_assert!(claim.is_some() && (served || !template), "{name} has no data: {:#?}", world.objects);
            }
            for kind in ["Metal3Machine", "Metal3DataClaim", "Metal3DataTemplate"] {
                for name in world.names(kind) {
                    world.delete(&(kind.to_owned(), name));
                }
            }
            world.settle().await;
            prop_assert!(world.objects.is_empty(), "left behind: {:#?}", world.objects);
            Ok(())
        })?;
    }
}
