//! Address objects of others that keep addresses back.

use api::ipam::address_of_name;
use api::names::annotation;

use super::*;
use crate::names::Neighbour;

impl PoolView {
    /// An address object of another pool, as the gatherer finds it.
    fn neighbour(mut self, object: impl Into<Address>, yields: bool) -> Self {
        let address = object.into();
        let named = address_of_name("p", address.name());
        self.neighbours.push(Neighbour { address, named, yields });
        self
    }
}

impl From<IPAddress> for Address {
    fn from(address: IPAddress) -> Self {
        Self::Metal3(Arc::new(address))
    }
}

impl From<capi::IPAddress> for Address {
    fn from(address: capi::IPAddress) -> Self {
        Self::Capi(Arc::new(address))
    }
}

fn metadata(name: &str, age: i64) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..address_meta_at(age) }
}

fn address_meta_at(age: i64) -> ObjectMeta {
    ObjectMeta { creation_timestamp: Some(Time(at(NOW - age))), ..address_meta("10.0.0.1", finalizer::IP_ADDRESS) }
}

fn of_pool(pool: &str, name: &str, ip: &str) -> IPAddress {
    let mut address = IPAddress { metadata: metadata(name, 60), ..IPAddress::default() };
    address.spec.claim.name = Some("theirs".to_owned());
    address.spec.pool.name = Some(pool.to_owned());
    address.spec.address = ip.to_owned();
    address
}

fn capi_of_pool(pool: &str, name: &str, ip: &str, age: i64) -> capi::IPAddress {
    let mut address = capi::IPAddress { metadata: metadata(name, age), ..capi::IPAddress::default() };
    address.spec.claim_ref.name = "theirs".to_owned();
    address.spec.pool_ref = PoolRef::ip_pool(pool);
    address.spec.address = ip.to_owned();
    address
}

fn pool() -> PoolView {
    view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9")))
}

#[test]
fn an_address_that_an_object_of_others_has_or_is_named_after_is_left_alone() {
    let table = [
        of_pool("q", "p-10-0-0-1", "10.0.0.1").into(),
        of_pool("gone", "p-10-0-0-1", "10.9.9.9").into(),
        of_pool("gone", "p-10-0-0-1", "no address").into(),
        of_pool("q", "by-hand", "10.0.0.1").into(),
        Address::from(capi_of_pool("gone", "p-10-0-0-1", "10.0.0.1", 60)),
    ];
    for address in table {
        let what = format!("{} {:?}", address.name(), address.ip());
        let view = pool().claim(metal3("a")).capi(capi_claim("c")).neighbour(address, false);
        let given = ["a: grant 10.0.0.2 by patch, create, status", "c: grant 10.0.0.3 by patch, create, status"];
        assert_eq!(deeds(&decide(&view)), given, "{what}");
    }
}

#[test]
fn an_object_of_the_pool_under_the_name_of_another_address_keeps_both_back() {
    let odd = of_pool("p", "p-10-0-0-1", "10.0.0.2");
    let mut view = pool().claim(metal3("a")).neighbour(odd.clone(), false);
    view.addresses.push(AddressSeen { address: odd.into(), claim_is_gone: false });
    assert_eq!(deeds(&decide(&view)), ["a: grant 10.0.0.3 by patch, create, status"]);
    let usage = space(&view, view.pool.as_ref().unwrap()).usage();
    assert_eq!((usage.used, usage.free), (1, 7), "one is in use, the other cannot be given out");
}

#[test]
fn more_names_are_taken_than_a_round_serves_and_claims_are_served_all_the_same() {
    let mut view = view(Some(ip_pool("ns", "p").subnet("10.0.0.0/16"))).claim(metal3("a"));
    for n in 1..=300_u32 {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        view = view.neighbour(of_pool("gone", &address_name("p", ip.into()), &ip.to_string()), false);
    }
    assert_eq!(deeds(&decide(&view)), ["a: grant 10.0.1.45 by patch, create, status"]);
}

#[test]
fn who_must_have_exactly_this_address_is_told_what_is_in_the_way_and_what_helps() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9").pre_allocated("fixed", "10.0.0.2");
    let mut wants = metal3("wants");
    wants.metadata.annotations = Some([(annotation::IP_ADDRESS.to_owned(), "10.0.0.1".to_owned())].into());
    let view = view(Some(pool)).claim(wants).claim(metal3("fixed"));
    let view = view.neighbour(of_pool("gone", "p-10-0-0-1", "10.9.9.9"), false);
    let view = view.neighbour(capi_of_pool("q", "p-10-0-0-2", "10.0.0.2", 60), false);
    let told = [
        "wants: refuse Requested IP not available: IPAddress p-10-0-0-1 (ipam.metal3.io, of IPPool gone) is in the way; \
         delete that object if nobody uses it, or ask for another address by status",
        "fixed: refuse Pre-allocated IP 10.0.0.2 not available: IPAddress p-10-0-0-2 (ipam.cluster.x-k8s.io, of IPPool q) \
         is in the way; delete that object if nobody uses it, or change spec.preAllocations of the pool by status",
    ];
    assert_eq!(deeds(&decide(&view)), told);
}

#[test]
fn of_two_pools_that_gave_one_address_to_untold_claims_the_younger_object_gives_way() {
    let ours = || pool().claim(held(metal3("a"))).address("a", "10.0.0.1");
    let view = |age, yields| ours().neighbour(capi_of_pool("q", "p-10-0-0-1", "10.0.0.1", age), yields);
    let deed = |view: &PoolView| deeds(&decide(&owned(view.clone())));
    let (stays, goes) = ("a: grant 10.0.0.1 by status", "a: release 10.0.0.1 by patch, patch, delete");
    // Ours is 60 seconds old.
    assert_eq!(deed(&view(30, true)), [stays], "theirs goes, and then ours is told");
    assert_eq!(deed(&view(90, true)), [goes]);
    assert_eq!(deed(&view(60, true)), [stays], "then by kind");
    assert_eq!(deed(&view(30, false)), [goes], "nobody takes theirs back: waiting would never end");
    let plan = decide(&owned(view(90, true)));
    let Write::Patch { target, body } = &plan.call.as_ref().unwrap().chains[0].writes[0] else { panic!("no patch") };
    assert_eq!((target.key.name.as_str(), target.resource_version.as_deref()), ("a", Some("1")));
    assert_eq!(body["metadata"]["finalizers"], serde_json::json!([]), "a change, so that nobody tells it meanwhile");
    let told = pool().claim(served(metal3("a"), "p-10-0-0-1")).address("a", "10.0.0.1");
    let told = told.neighbour(capi_of_pool("q", "p-10-0-0-1", "10.0.0.1", 90), false);
    assert_eq!(deed(&told), [""; 0], "what a claim was told stays");
}
