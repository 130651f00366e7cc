//! Which address a claim gets: tables of the published behaviour and of the corner cases.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::build::ip_pool;
use api::ipam::{IPPool, Range};

use super::*;
use crate::kinds::Flavor;

fn id(name: &str) -> ClaimId {
    ClaimId { flavor: Flavor::Metal3, name: name.to_owned() }
}

fn pool() -> IPPool {
    ip_pool("ns", "p")
}

fn range(start: &str, end: &str, subnet: &str) -> Range {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Range { start: some(start), end: some(end), subnet: some(subnet), ..Range::default() }
}

/// The first addresses that claims without wishes get, at most `limit`.
fn given(pool: &IPPool, limit: usize) -> Vec<String> {
    let mut space = Space::new(&pool.spec, 1);
    let next = |n: usize| space.choose(&id(&format!("c{n}")), None, None).ok().map(|chosen| chosen.ip.to_string());
    (0..limit).map_while(next).collect()
}

#[test]
fn ranges_of_every_form_give_their_addresses_in_order() {
    let table: [(Range, &[&str]); 12] = [
        (range("10.0.0.1", "10.0.0.2", ""), &["10.0.0.1", "10.0.0.2"]),
        (range("10.0.0.254", "", "10.0.0.0/24"), &["10.0.0.254", "10.0.0.255"]),
        (range("10.0.0.253", "10.0.0.254", "10.0.0.0/24"), &["10.0.0.253", "10.0.0.254"]),
        (range("10.0.1.1", "", "10.0.0.0/24"), &[]),
        (range("", "", "192.168.1.1/26"), &["192.168.1.2", "192.168.1.3", "192.168.1.4"]),
        (range("", "", "192.168.1.0/30"), &["192.168.1.1", "192.168.1.2", "192.168.1.3"]),
        (range("", "", "10.0.0.0/31"), &["10.0.0.1"]),
        (range("", "", "10.0.0.0/32"), &[]),
        (range("255.255.255.254", "", ""), &["255.255.255.254", "255.255.255.255"]),
        (range("", "10.0.0.9", ""), &[]),
        (range("2001:DB8::0001", "2001:db8::2", ""), &["2001:db8::1", "2001:db8::2"]),
        (range("", "", "2001:db8::/127"), &["2001:db8::1"]),
    ];
    for (range, expected) in table {
        let mut pool = pool();
        pool.spec.pools.push(range.clone());
        assert_eq!(given(&pool, 3), expected, "{range:?}");
    }
}

#[test]
fn ranges_are_used_up_in_their_order_and_tell_their_own_network() {
    let mut pool = pool().range("10.0.0.1", "10.0.0.1").range("10.1.0.1", "10.1.0.9");
    pool.spec.prefix = 24;
    pool.spec.gateway = Some("10.9.9.9".to_owned());
    pool.spec.dns_servers = vec!["8.8.8.8".to_owned()];
    pool.spec.pools[0].prefix = 26;
    pool.spec.pools[0].gateway = Some("10.0.0.62".to_owned());
    pool.spec.pools[0].dns_servers = vec!["9.9.9.9".to_owned()];
    let mut space = Space::new(&pool.spec, 1);
    let mut next = |name: &str| space.choose(&id(name), None, None).unwrap();
    let network = |prefix, gateway: &str, dns: &str| Network {
        prefix,
        gateway: Some(gateway.to_owned()),
        dns_servers: vec![dns.to_owned()],
    };
    let (first, second) = (next("a"), next("b"));
    assert_eq!(
        (first.ip.to_string(), (*first.network).clone()),
        ("10.0.0.1".to_owned(), network(26, "10.0.0.62", "9.9.9.9"))
    );
    assert_eq!(
        (second.ip.to_string(), (*second.network).clone()),
        ("10.1.0.1".to_owned(), network(24, "10.9.9.9", "8.8.8.8"))
    );
}

#[test]
fn gateways_and_dns_servers_are_given_only_to_those_who_ask() {
    let mut pool = pool().range("10.0.0.1", "10.0.0.4");
    pool.spec.gateway = Some("10.0.0.1".to_owned());
    pool.spec.dns_servers = vec!["10.0.0.3".to_owned()];
    assert_eq!(given(&pool, 9), ["10.0.0.2", "10.0.0.4"]);
    let mut space = Space::new(&pool.spec, 1);
    assert_eq!(space.usage(), Usage { total: 4, used: 0, free: 2 });
    assert!(space.choose(&id("router"), Some("10.0.0.1"), None).is_ok());
}

#[test]
fn wishes_are_fulfilled_exactly_or_refused_with_the_reason() {
    let mut pool = pool().range("10.0.0.1", "10.0.0.9").pre_allocated("fixed", "10.0.0.5").subnet("2001:db8::/64");
    pool.spec.pre_allocations.insert("six".to_owned(), "2001:db8::0005".to_owned());
    pool.spec.pre_allocations.insert("outside".to_owned(), "10.0.1.1".to_owned());
    pool.spec.pre_allocations.insert("late".to_owned(), "10.0.0.2".to_owned());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let table: [(&str, Option<&str>, Result<&str, Refusal>); 12] = [
        ("fixed", None, Ok("10.0.0.5")),
        ("fixed", Some("10.0.0.5"), Ok("10.0.0.5")),
        ("fixed", Some("10.0.0.6"), Err(Refusal::Conflict)),
        ("six", Some("2001:0db8::5"), Ok("2001:db8::5")),
        ("any", Some("2001:db8::5"), Err(Refusal::NotAvailable)),
        ("any", Some("10.0.0.5"), Err(Refusal::NotAvailable)),
        ("any", Some("10.0.0.2"), Err(Refusal::NotAvailable)),
        ("any", Some("10.0.0.7"), Ok("10.0.0.7")),
        ("any", Some("2001:db8:0:1::1"), Err(Refusal::RequestedOutside(ip("2001:db8:0:1::1")))),
        ("any", Some("ten"), Err(Refusal::BadRequest("ten".to_owned()))),
        ("outside", None, Err(Refusal::PreAllocatedOutside)),
        ("late", None, Err(Refusal::PreAllocatedTaken(ip("10.0.0.2")))),
    ];
    for (claim, wish, expected) in table {
        let mut space = Space::new(&pool.spec, 1);
        space.hold(ip("10.0.0.2"), Holder::Claim);
        let chosen = space.choose(&id(claim), wish, None).map(|chosen| chosen.ip.to_string());
        assert_eq!(chosen, expected.map(str::to_owned), "{claim} {wish:?}");
    }
}

#[test]
fn pre_allocated_addresses_go_to_nobody_else_in_any_spelling() {
    let pool = pool().range("2001:db8::4", "2001:db8::7").pre_allocated("fixed", "2001:DB8:0:0::0005");
    assert_eq!(given(&pool, 9), ["2001:db8::4", "2001:db8::6", "2001:db8::7"]);
}

#[test]
fn an_address_far_inside_a_subnet_costs_nothing() {
    let pool = pool().subnet("2001:db8::/64");
    let mut space = Space::new(&pool.spec, 1);
    let begun = std::time::Instant::now();
    assert!(space.choose(&id("far"), Some("2001:db8::8000:0:0:0"), None).is_ok());
    assert!(space.choose(&id("outside"), Some("2001:db9::1"), None).is_err());
    assert!(begun.elapsed().as_millis() < 10);
}

#[test]
fn a_claim_that_lost_its_address_gets_it_again_while_it_is_free() {
    let pool = pool().range("10.0.0.1", "10.0.0.9");
    let mut space = Space::new(&pool.spec, 1);
    let had = "10.0.0.7".parse().ok();
    let mut again = |name: &str| space.choose(&id(name), None, had).unwrap().ip.to_string();
    assert_eq!((again("a"), again("b")), ("10.0.0.7".to_owned(), "10.0.0.1".to_owned()));
}

#[test]
fn random_choice_fills_a_range_exactly_and_starts_everywhere() {
    const SEEDS: u32 = 10_000;
    let pool = pool().range("10.0.0.0", "10.0.0.15").range("10.1.0.0", "10.1.0.3").random();
    let mut first: BTreeMap<IpAddr, f64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut space = Space::new(&pool.spec, seed.into());
        let mut given = Vec::new();
        while let Ok(chosen) = space.choose(&id("c"), None, None) {
            given.push(chosen.ip);
        }
        let distinct: BTreeSet<_> = given.iter().collect();
        assert_eq!((given.len(), distinct.len()), (20, 20), "never outside, never twice, to the last");
        assert!(given[..16].iter().all(|ip| ip.to_string().starts_with("10.0.")), "ranges keep their order");
        *first.entry(given[0]).or_default() += 1.0;
    }
    assert_eq!(first.len(), 16, "every address can be the first");
    let expected = f64::from(SEEDS) / 16.0;
    let squares: f64 = first.values().map(|count| (count - expected).powi(2) / expected).sum();
    // Of even starts one set of seeds in a thousand has more, with fifteen degrees of freedom.
    assert!(squares < 37.7, "chi-square {squares} of {first:?}");
}

#[test]
fn usage_counts_claims_inside_and_leaves_out_the_rest() {
    let pool = pool().range("10.0.0.1", "10.0.0.10").pre_allocated("fixed", "10.0.0.5");
    let mut space = Space::new(&pool.spec, 1);
    space.hold("10.0.0.1".parse().unwrap(), Holder::Claim);
    space.hold("10.9.9.9".parse().unwrap(), Holder::Claim);
    assert_eq!(space.usage(), Usage { total: 10, used: 1, free: 8 });
    space.hold("10.0.0.5".parse().unwrap(), Holder::Claim);
    assert_eq!(space.usage(), Usage { total: 10, used: 2, free: 8 });
}

#[test]
fn addresses_in_several_ranges_count_once_in_the_whole_and_in_each_range() {
    let pool = pool().range("10.0.0.1", "10.0.0.4").range("10.0.0.3", "10.0.0.8").subnet("10.0.1.0/32");
    let mut space = Space::new(&pool.subnet("::/0").spec, 1);
    space.hold("10.0.0.3".parse().unwrap(), Holder::Claim);
    assert_eq!(space.usage(), Usage { total: u128::MAX, used: 1, free: u128::MAX });
    let ranges: Vec<_> = space.usage_by_range().into_iter().map(|(_, u)| (u.total, u.used, u.free)).collect();
    assert_eq!(ranges, [(4, 1, 3), (6, 1, 5), (0, 0, 0), (u128::MAX, 0, u128::MAX)]);
    let given: Vec<String> =
        (0..8).map(|n| space.choose(&id(&format!("c{n}")), None, None).unwrap().ip.to_string()).collect();
    assert_eq!(given[..3], ["10.0.0.1", "10.0.0.2", "10.0.0.4"]);
    assert_eq!((given[6].as_str(), given[7].as_str()), ("10.0.0.8", "::1"), "no range is walked through twice");
}

/// What a pass computes for a pool that is asked for a million addresses, with every second one taken.
#[test]
fn a_million_addresses_are_chosen_in_about_a_second() {
    let pool = pool().subnet("2001:db8::/64");
    let mut space = Space::new(&pool.spec, 1);
    let first = u128::from("2001:db8::".parse::<std::net::Ipv6Addr>().unwrap());
    let count = 1_000_000_u128;
    for n in (2..=count).step_by(2) {
        space.hold(address(Family::V6, first + n), Holder::Claim);
    }
    let claim = id("c");
    let begun = std::time::Instant::now();
    for n in (1..=count).step_by(2).chain(count + 1..=count + count / 2) {
        let chosen = space.choose(&claim, None, None).unwrap();
        assert_eq!(chosen.ip, address(Family::V6, first + n));
    }
    let took = begun.elapsed();
    println!("{count} addresses chosen in {took:?}");
    // A debug build on a busy machine is some ten times slower than a release; quadratic work would take hours.
    assert!(took.as_secs() < 30, "{took:?}");
}
