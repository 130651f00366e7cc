//! What is found in the caches, and who is woken.

use api::build::{ip_claim, ip_pool};
use api::ipam::capi::PoolRef;
use api::names::finalizer;
use kit::client::Io;
use kube::core::ObjectMeta;
use kube::{Client, Config};

use super::*;

fn metadata(name: &str, finalizer: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        finalizers: Some(vec![finalizer.to_owned()]),
        ..ObjectMeta::default()
    }
}

pub(crate) fn address(name: &str, ip: &str, pool: &str, claim: &str) -> IPAddress {
    let mut address = IPAddress { metadata: metadata(name, finalizer::IP_ADDRESS), ..IPAddress::default() };
    address.spec.address = ip.to_owned();
    address.spec.pool.name = Some(pool.to_owned());
    address.spec.claim.name = Some(claim.to_owned());
    address
}

fn capi_address(name: &str, ip: &str, pool: &str) -> capi::IPAddress {
    let metadata = metadata(name, finalizer::CAPI_IP_ADDRESS);
    let mut address = capi::IPAddress { metadata, ..capi::IPAddress::default() };
    address.spec.address = ip.to_owned();
    address.spec.pool_ref = PoolRef::ip_pool(pool);
    address
}

fn pool(name: &str, prefix: &str) -> IPPool {
    let mut pool = ip_pool("ns", name).range("10.0.0.1", "10.0.0.9");
    pool.spec.name_prefix = prefix.to_owned();
    pool
}

pub(crate) fn stores(pools: Vec<IPPool>, claims: Vec<IPClaim>, addresses: Vec<IPAddress>) -> Stores {
    Stores::of(
        Store::fixed(pools),
        Store::default(),
        Store::fixed(claims),
        Store::fixed(addresses),
        Store::default(),
        Store::default(),
    )
}

fn context() -> Context {
    let config = Config::new("http://127.0.0.1:1".parse().unwrap());
    Context::new(Io::new(Client::try_from(config).unwrap()), <_>::default())
}

fn found(stores: &Stores, pool: &IPPool) -> Vec<String> {
    let line = |seen: Neighbour| {
        let named = seen.named.map(|ip| format!(" keeps {ip}")).unwrap_or_default();
        format!("{}{named}{}", seen.address.name(), if seen.yields { " yields" } else { "" })
    };
    stores.neighbours_of(pool, "").into_iter().map(line).collect()
}

#[test]
fn objects_of_others_under_names_of_ours_are_found_whatever_they_say() {
    let own = pool("p", "net");
    let untold = ip_claim("ns", "untold", "q");
    let addresses = vec![
        address("net-10-0-0-1", "10.0.0.1", "p", "a"),
        address("net-10-0-0-2", "10.0.0.7", "p", "b"),
        address("net-10-0-0-3", "10.0.0.3", "gone", "c"),
        address("net-10-0-0-4", "no address", "other", "d"),
        address("net-10-0-0-5", "10.0.0.5", "q", "untold"),
        address("net-10-0-0-6", "10.0.0.6", "q", "told"),
        address("other-10-0-0-8", "10.0.0.8", "other", "e"),
    ];
    let stores = stores(vec![own.clone(), pool("q", "net"), pool("other", "other")], vec![untold], addresses);
    let wanted = [
        "net-10-0-0-5 yields",
        "net-10-0-0-6",
        "net-10-0-0-2 keeps 10.0.0.2",
        "net-10-0-0-4 keeps 10.0.0.4",
        "net-10-0-0-3 keeps 10.0.0.3",
    ];
    assert_eq!(found(&stores, &own), wanted);
    stores.learn(&Address::Capi(Arc::new(capi_address("net-10-0-0-9", "10.0.0.9", "gone"))));
    assert_eq!(found(&stores, &own).last().unwrap(), "net-10-0-0-9 keeps 10.0.0.9", "what a look has found");
}

#[test]
fn nothing_is_taken_back_by_a_pool_that_stands_still() {
    let own = pool("p", "net");
    let mut paused = pool("q", "net");
    paused.metadata.annotations = Some([(owners::PAUSED.to_owned(), String::new())].into());
    let mut waits = pool("r", "net");
    waits.spec.cluster_name = Some("missing".to_owned());
    let claims = vec![ip_claim("ns", "a", "q"), ip_claim("ns", "b", "r")];
    let addresses = vec![address("net-10-0-0-1", "10.0.0.1", "q", "a"), address("net-10-0-0-2", "10.0.0.2", "r", "b")];
    let stores = stores(vec![own.clone(), paused, waits], claims, addresses);
    assert_eq!(found(&stores, &own), ["net-10-0-0-1", "net-10-0-0-2"]);
}

#[test]
fn an_address_object_that_comes_or_goes_wakes_all_that_cannot_use_its_address_or_name_meanwhile() {
    let stores = stores(vec![pool("p", "net"), pool("q", "net"), pool("other", "other")], Vec::new(), Vec::new());
    let woken = |old: Option<&IPAddress>, new: Option<&IPAddress>| {
        stores.of_address(old, new).into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    let ours = address("net-10-0-0-1", "10.0.0.1", "p", "a");
    assert_eq!(woken(None, Some(&ours)), ["p", "q"], "the other one shows one free address less");
    assert_eq!(woken(Some(&ours), Some(&ours)), ["p"]);
    assert_eq!(woken(Some(&ours), None), ["p", "q"]);
    let by_hand = address("mine", "10.0.0.1", "p", "a");
    assert_eq!(woken(Some(&by_hand), None), ["p", "q"], "of a pool with the same prefix");
    let left_over = address("net-10-0-0-1", "10.0.0.2", "gone", "a");
    assert_eq!(woken(Some(&left_over), None), ["gone", "p", "q"]);
    let moved = address("net-10-0-0-1", "10.0.0.1", "gone", "a");
    assert_eq!(woken(Some(&left_over), Some(&moved)), ["gone", "p", "q"], "it says something else now");
}

#[tokio::test]
async fn claims_of_other_managers_are_known_to_exist_without_asking() {
    let filter = "mine";
    let mut own = pool("p", "net");
    own.metadata.labels = Some([(owners::WATCH_FILTER.to_owned(), filter.to_owned())].into());
    let unlabelled = ip_claim("ns", "a", "p");
    let addresses = vec![address("net-10-0-0-1", "10.0.0.1", "p", "a")];
    let stores = stores(vec![own], vec![unlabelled], addresses);
    // Nobody answers there, so that a question would be told.
    let mut context = context();
    context.watch_filter = filter.to_owned();
    let Found::View(view) = stores.gather(&context, &Key::new("ns", "p")).await else { panic!("no view") };
    assert_eq!((view.claims.len(), view.addresses.len(), view.unasked), (0, 1, 0));
    assert!(!view.addresses[0].claim_is_gone);
}
