use super::interval::{Family, Interval, RangeError, parse};
use super::*;
use crate::build::{Build as _, ip_claim, ip_pool};
use crate::names::annotation;
use crate::validation::{Kind, Violations};

fn fields(violations: &Violations) -> Vec<(Kind, &str)> {
    violations.iter().map(|v| (v.kind, v.field.as_str())).collect()
}

fn range(start: &str, end: &str, subnet: &str) -> Range {
    let text = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Range { start: text(start), end: text(end), subnet: text(subnet), ..Range::default() }
}

#[test]
fn ranges_cover_what_the_go_manager_gives_out() {
    let v4 = |first: &str, last: &str| {
        let number = |text: &str| interval::number(parse(text).unwrap()).1;
        Ok(Some(Interval { family: Family::V4, first: number(first), last: number(last) }))
    };
    let table = [
        (range("192.0.2.10", "", ""), v4("192.0.2.10", "255.255.255.255")),
        (range("192.0.2.10", "192.0.2.20", ""), v4("192.0.2.10", "192.0.2.20")),
        (range("192.0.2.10", "", "192.0.2.0/24"), v4("192.0.2.10", "192.0.2.255")),
        (range("192.0.2.10", "192.0.2.20", "192.0.2.0/28"), v4("192.0.2.10", "192.0.2.15")),
        (range("", "", "192.168.1.1/26"), v4("192.168.1.2", "192.168.1.63")),
        (range("", "", "192.168.1.0/30"), v4("192.168.1.1", "192.168.1.3")),
        (range("", "", "10.0.0.0/31"), v4("10.0.0.1", "10.0.0.1")),
        (range("", "192.0.2.20", "192.0.2.0/24"), v4("192.0.2.1", "192.0.2.20")),
        (range("", "", "10.0.0.0/32"), Ok(None)),
        (range("", "", "2001:db8::7/128"), Ok(None)),
        (range("", "192.0.2.20", ""), Ok(None)),
        (range("198.51.100.1", "", "192.0.2.0/24"), Ok(None)),
        (range("192.0.2.20", "192.0.2.10", ""), Err(RangeError::Backwards)),
        (range("192.0.2.20", "2001:db8::1", ""), Err(RangeError::MixedFamilies)),
        (range("192.0.2.20", "", "2001:db8::/64"), Err(RangeError::MixedFamilies)),
        (range("::ffff:c000:20a", "192.0.2.20", ""), v4("192.0.2.10", "192.0.2.20")),
        (range("", "", "::ffff:c000:200/120"), v4("192.0.2.1", "192.0.2.255")),
        (range("192.0.2.9", "", "::ffff:c000:200/124"), v4("192.0.2.9", "192.0.2.15")),
    ];
    for (range, wanted) in table {
        assert_eq!(range.interval(), wanted, "{range:?}");
    }
    let six = range("", "", "2001:db8::/064").interval().unwrap().unwrap();
    assert_eq!((six.family, six.size()), (Family::V6, u128::from(u64::MAX)));
    assert!(six.contains(parse("2001:db8::ffff:ffff:ffff:ffff").unwrap()));
    assert!(!six.contains(parse("2001:db8:0:1::").unwrap()));
    assert_eq!(range("::", "", "").interval().unwrap().unwrap().size(), u128::MAX);
}

#[test]
fn names_of_addresses_are_those_of_the_go_manager() {
    for (prefix, ip, name) in [
        ("pool1", "192.168.0.13", "pool1-192-168-0-13"),
        ("p", "2001:db8::5", "p-2001-db8--5"),
        ("p", "2001:db8::", "p-2001-db8"),
        ("p-1", "::", "p-1"),
        ("p", "::1", "p---1"),
        ("p", "1:2:3:4:5:6:7:8", "p-1-2-3-4-5-6-7-8"),
    ] {
        assert_eq!(address_name(prefix, parse(ip).unwrap()), name);
    }
}

#[test]
fn the_address_can_be_read_from_the_name_of_its_object() {
    for (prefix, ip) in [
        ("pool1", "192.168.0.13"),
        ("p", "2001:db8::5"),
        ("p", "2001:db8::"),
        ("10-0", "10.0.0.1"),
        ("p", "::1"),
        ("p", "1:2:3:4:5:6:7:8"),
    ] {
        let ip = parse(ip).unwrap();
        assert_eq!(address_of_name(prefix, &address_name(prefix, ip)), Some(ip));
    }
    for name in ["pool1-192-168-0", "other-10-0-0-1", "pool1", "pool1-", "pool1-2001:db8::1", "pool110-0-0-1"] {
        assert_eq!(address_of_name("pool1", name), None, "{name}");
    }
}

#[test]
fn rules_of_pools() {
    let base = || ip_pool("ns", "p").range("192.0.2.10", "192.0.2.20");
    let edit = |change: fn(&mut IPPoolSpec)| {
        let mut pool = base();
        change(&mut pool.spec);
        pool
    };
    let table: Vec<(IPPool, Vec<(Kind, &str)>)> = vec![
        (base(), vec![]),
        (base().pre_allocated("a", "192.0.2.10").pre_allocated("b", "192.0.2.11"), vec![]),
        (edit(|s| s.gateway = Some("192.0.2".into())), vec![(Kind::Invalid, "spec.gateway")]),
        (edit(|s| s.dns_servers = vec!["192.0.2.1".into(), "x".into()]), vec![(Kind::Invalid, "spec.dnsServers[1]")]),
        (edit(|s| s.pools[0].gateway = Some("x".into())), vec![(Kind::Invalid, "spec.pools[0].gateway")]),
        (edit(|s| s.pools.push(Range::default())), vec![(Kind::Required, "spec.pools[1]")]),
        (base().range("192.0.2.20", "192.0.2.10"), vec![(Kind::Invalid, "spec.pools[1]")]),
        (base().subnet("192.0.2.0/33"), vec![(Kind::Invalid, "spec.pools[1]")]),
        (base().subnet("::ffff:c000:200/95"), vec![(Kind::Invalid, "spec.pools[1]")]),
        (base().subnet("::ffff:c000:200/129"), vec![(Kind::Invalid, "spec.pools[1]")]),
        (base().pre_allocated("a", "x"), vec![(Kind::Invalid, "spec.preAllocations[a]")]),
        (base().pre_allocated("a", "192.0.2.9"), vec![(Kind::Invalid, "spec.preAllocations")]),
        (
            base().subnet("2001:db8::/64").pre_allocated("a", "2001:db8::5").pre_allocated("b", "2001:db8:0::0005"),
            vec![(Kind::Duplicate, "spec.preAllocations[b]")],
        ),
        (base().random(), vec![]),
        (base().random().subnet("2001:db8::/64"), vec![(Kind::Invalid, "spec.pools[1]")]),
        (base().random().subnet("2001:db8::/65"), vec![]),
        (
            {
                let mut pool = base().random();
                pool.spec.pools[0].end = None;
                pool
            },
            vec![(Kind::Invalid, "spec.pools[0]")],
        ),
    ];
    for (object, wanted) in table {
        let seen = validate::pool(&object);
        assert_eq!(fields(&seen), wanted, "{seen} of {:?}", object.spec);
    }
}

#[test]
fn what_of_a_pool_may_not_change() {
    let none = validate::InUse::new();
    let old = ip_pool("ns", "p").range("192.0.2.10", "192.0.2.20").allocated("c", "192.0.2.15");
    let edit = |change: fn(&mut IPPoolSpec)| {
        let mut pool = old.clone();
        change(&mut pool.spec);
        fields(&validate::pool_update(&old, &pool, &none))
            .into_iter()
            .map(|(_, field)| field.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(edit(|_| {}), [""; 0]);
    assert_eq!(edit(|s| s.name_prefix = "q".into()), ["spec.namePrefix"]);
    assert_eq!(edit(|s| s.allocation_strategy = Some(AllocationStrategy::Random)), ["spec.allocationStrategy"]);
    assert_eq!(edit(|s| s.allocation_strategy = Some(AllocationStrategy::Sequential)), [""; 0]);
    assert_eq!(edit(|s| s.pools[0].end = Some("192.0.2.14".into())), ["spec.pools"]);
    assert_eq!(edit(|s| s.pools[0].end = Some("192.0.2.15".into())), [""; 0]);

    let mut shrunk = old.clone();
    shrunk.spec.pools[0].end = Some("192.0.2.14".into());
    let told = validate::pool_update(&old, &shrunk, &none).to_string();
    assert!(told.contains("is in use but out of bounds of the pools given"), "{told}");

    let newer = validate::InUse::from([(parse("192.0.2.12").unwrap(), "new".to_owned())]);
    let mut shrunk = old.clone();
    shrunk.spec.pools[0].start = Some("192.0.2.13".into());
    assert_eq!(fields(&validate::pool_update(&old, &shrunk, &none)), []);
    let told = validate::pool_update(&old, &shrunk, &newer).to_string();
    assert!(told.contains("192.0.2.12 of claim \"new\" is in use"), "known before the status shows it: {told}");

    let stray = old.clone().allocated("by-hand", "198.51.100.1");
    let mut new = stray.clone();
    new.spec.gateway = Some("192.0.2.1".into());
    assert_eq!(fields(&validate::pool_update(&stray, &new, &none)), [], "an address made by hand forbids nothing");
}

#[test]
fn a_range_without_addresses_is_told() {
    let pool = ip_pool("ns", "p").subnet("192.0.2.7/32").subnet("192.0.2.0/24").subnet("2001:db8::7/128");
    assert_eq!(
        validate::pool_warnings(&pool),
        [0, 2].map(|at| format!("spec.pools[{at}] has no address that can be given out"))
    );
    let mut pool = ip_pool("ns", "p");
    pool.spec.pools = vec![range("", "192.0.2.20", ""), range("198.51.100.1", "", "192.0.2.0/24")];
    assert_eq!(fields(&validate::pool(&pool)), [], "accepted, as published");
    assert_eq!(validate::pool_warnings(&pool).len(), 2, "end alone, and a start outside its subnet");
}

#[test]
fn what_can_never_work_is_told() {
    let warnings = |change: fn(&mut IPPoolSpec)| {
        let mut pool = ip_pool("ns", "p").range("192.0.2.10", "192.0.2.20");
        change(&mut pool.spec);
        assert_eq!(fields(&validate::pool(&pool)), []);
        validate::pool_warnings(&pool).join("; ")
    };
    assert_eq!(warnings(|_| {}), "");
    assert!(warnings(|s| s.prefix = 64).contains("prefix 64 is not between 0 and 32"));
    assert!(warnings(|s| s.pools[0].prefix = 33).contains("prefix 33"));
    assert!(warnings(|s| s.gateway = Some("2001:db8::1".into())).contains("other address family"));
    assert!(warnings(|s| s.name_prefix = "Pool_1".into()).contains("namePrefix"));
    assert!(warnings(|s| s.name_prefix = "p".repeat(214)).contains("namePrefix"));
    assert_eq!(warnings(|s| s.name_prefix = "p".repeat(213)), "");
    let mut claim = ip_claim("ns", "c", "p");
    assert_eq!(validate::claim_warnings(&claim).len(), 0);
    claim.spec.pool.namespace = Some("other".into());
    assert_eq!(validate::claim_warnings(&claim).len(), 1);
    claim.spec.pool.namespace = Some("ns".into());
    assert_eq!(validate::claim_warnings(&claim).len(), 0);
}

/// The words that users and scripts know from the Go manager.
#[test]
fn all_faults_are_told_at_once_in_the_published_words() {
    let mut pool = ip_pool("ns", "p").random().range("192.0.2.20", "192.0.2.10").pre_allocated("a", "x");
    pool.spec.gateway = Some("192.0.2".into());
    pool.spec.pools[0].dns_servers = vec!["9.9.9.9".into(), "dns".into()];
    pool.spec.pools.push(Range::default());
    pool.spec.pools.push(range("198.51.100.1", "", ""));
    pool.spec.pre_allocations.extend([("b".into(), "198.51.100.7".into()), ("c".into(), "198.51.100.7".into())]);
    pool.spec.pre_allocations.insert("d".into(), "192.0.2.1".into());
    let told = validate::pool(&pool).iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>();
    let published = [
        ("spec.gateway: ", "is not a valid IP address"),
        ("spec.pools[0].dnsServers[1]: ", "is not a valid IP address"),
        ("spec.pools[0]: ", "end is before start"),
        ("spec.pools[1]: ", "pool entry must specify at least one of start, end, or subnet"),
        ("spec.pools[2]: ", "cannot be used with allocationStrategy \"random\""),
        ("spec.preAllocations[a]: ", "is not a valid IP address"),
        ("spec.preAllocations[c]: ", "IP address is already pre-allocated to claim \"b\""),
        ("spec.preAllocations: ", "is out of bounds of the pools given"),
    ];
    assert_eq!(told.len(), published.len(), "{told:#?}");
    for (told, (field, words)) in told.iter().zip(published) {
        assert!(told.starts_with(field) && told.contains(words), "{told} instead of {field}{words}");
    }
}

#[test]
fn rules_of_claims() {
    let good = ip_claim("ns", "c", "p");
    assert_eq!(fields(&validate::claim(&good)), []);
    assert_eq!(fields(&validate::claim(&ip_claim("ns", "c", ""))), [(Kind::Required, "spec.pool.name")]);
    let asked = good.clone().annotation(annotation::IP_ADDRESS, "192.0.2");
    assert_eq!(fields(&validate::claim(&asked)), [(Kind::Invalid, "metadata.annotations[ipAddress]")]);
    assert_eq!(fields(&validate::claim_update(&good, &asked)), [(Kind::Invalid, "metadata.annotations[ipAddress]")]);
    assert_eq!(fields(&validate::claim_update(&asked, &asked.clone().finalizer("x"))), []);
    assert_eq!(
        fields(&validate::claim_update(&good, &ip_claim("ns", "c", "q"))),
        [(Kind::Forbidden, "spec.pool.name")]
    );
}

/// Each member of a reference that decides where an object belongs, and an unset one is the same as an empty one.
#[test]
fn what_a_claim_or_an_address_belongs_to_never_changes() {
    type Change = fn(&mut crate::meta::ObjectReference);
    let changes: [(&str, Change); 3] = [
        ("name", |reference| reference.name = Some("other".into())),
        ("namespace", |reference| reference.namespace = Some("other".into())),
        ("kind", |reference| reference.kind = Some("Other".into())),
    ];
    let empty: Change = |reference| reference.kind = Some(String::new());
    let claim = ip_claim("ns", "c", "p");
    let address = ip_address("p", "c", "192.0.2.1");
    let of_claim = |change: Change| {
        let mut new = claim.clone();
        change(&mut new.spec.pool);
        validate::claim_update(&claim, &new)
    };
    let of_address = |reference: fn(&mut IPAddress) -> &mut crate::meta::ObjectReference, change: Change| {
        let mut new = address.clone();
        change(reference(&mut new));
        validate::address_update(&address, &new)
    };
    for (member, change) in changes {
        let pool = format!("spec.pool.{member}");
        assert_eq!(fields(&of_claim(change)), [(Kind::Forbidden, pool.as_str())]);
        assert_eq!(fields(&of_address(|new| &mut new.spec.pool, change)), [(Kind::Forbidden, pool.as_str())]);
        let claim = format!("spec.claim.{member}");
        assert_eq!(fields(&of_address(|new| &mut new.spec.claim, change)), [(Kind::Forbidden, claim.as_str())]);
    }
    assert_eq!(fields(&of_claim(empty)), []);
    assert_eq!(fields(&of_address(|new| &mut new.spec.pool, empty)), []);
}

#[test]
fn all_faults_of_claims_and_addresses_are_told_at_once() {
    let forbidden = |field: &'static str| (Kind::Forbidden, field);
    let asked = (Kind::Invalid, "metadata.annotations[ipAddress]");
    let claim = ip_claim("ns", "c", "").annotation(annotation::IP_ADDRESS, "x");
    assert_eq!(fields(&validate::claim(&claim)), [(Kind::Required, "spec.pool.name"), asked]);
    let mut moved = ip_claim("ns", "c", "q").annotation(annotation::IP_ADDRESS, "x");
    moved.spec.pool.namespace = Some("other".into());
    moved.spec.pool.kind = Some("Other".into());
    let all = ["spec.pool.name", "spec.pool.namespace", "spec.pool.kind"].map(forbidden);
    let told = validate::claim_update(&ip_claim("ns", "c", "p"), &moved);
    assert_eq!(fields(&told), [all.as_slice(), &[asked]].concat());

    let required = ["spec.pool.name", "spec.claim.name", "spec.address"].map(|field| (Kind::Required, field));
    assert_eq!(fields(&validate::address(&ip_address("", "", ""))), required);
    let old = ip_address("p", "c", "192.0.2.1");
    let told = validate::address_update(&old, &ip_address("q", "d", "192.0.2.2"));
    assert_eq!(fields(&told), ["spec.address", "spec.pool.name", "spec.claim.name"].map(forbidden));
    // A faulty pool that is changed: what was wrong before is not told again, everything new is.
    let mut old = ip_pool("ns", "p").range("192.0.2.10", "192.0.2.20").allocated("c", "192.0.2.15");
    old.spec.gateway = Some("x".into());
    let mut new = old.clone();
    new.spec.name_prefix = "q".into();
    new.spec.allocation_strategy = Some(AllocationStrategy::Random);
    new.spec.dns_servers = vec!["x".into()];
    new.spec.pools[0].end = Some("192.0.2.14".into());
    let all = ["spec.namePrefix", "spec.allocationStrategy", "spec.pools"].map(forbidden);
    let invalid = (Kind::Invalid, "spec.dnsServers[0]");
    assert_eq!(
        fields(&validate::pool_update(&old, &new, &validate::InUse::new())),
        [&[invalid], all.as_slice()].concat()
    );
}

fn ip_address(pool: &str, claim: &str, address: &str) -> IPAddress {
    let reference = |name: &str| crate::meta::ObjectReference { name: Some(name.into()), ..Default::default() };
    let spec = IPAddressSpec {
        pool: reference(pool),
        claim: reference(claim),
        address: address.into(),
        ..IPAddressSpec::default()
    };
    IPAddress { spec, ..IPAddress::default() }
}

#[test]
fn rules_of_addresses() {
    let of = |address: &str| ip_address("p", "c", address);
    assert_eq!(fields(&validate::address(&of("192.0.2.1"))), []);
    assert_eq!(fields(&validate::address(&of("192.0.2"))), [(Kind::Invalid, "spec.address")]);
    assert_eq!(fields(&validate::address(&of(""))), [(Kind::Required, "spec.address")]);
    assert_eq!(
        fields(&validate::address_update(&of("192.0.2.1"), &of("192.0.2.2"))),
        [(Kind::Forbidden, "spec.address")]
    );
}
