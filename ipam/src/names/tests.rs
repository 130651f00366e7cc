use api::ipam::capi::PoolRef;

use super::*;

fn named(name: &str, ip: &str, pool: &str) -> IPAddress {
    let mut address = IPAddress::default();
    (address.metadata.name, address.metadata.namespace) = (Some(name.to_owned()), Some("ns".to_owned()));
    address.spec.address = ip.to_owned();
    address.spec.pool.name = Some(pool.to_owned());
    address
}

#[test]
fn a_name_tells_which_pools_want_it() {
    let table: [(&str, &str, &[&str]); 9] = [
        ("net-10-0-0-1", "10.0.0.1", &["ns/net/p"]),
        ("net-10-0-0-1", "::ffff:10.0.0.1", &["ns/net/p"]),
        ("net-2-10-0-0-1", "10.0.0.1", &["ns/net-2/p"]),
        ("six-2001-db8--1", "2001:DB8::1", &["ns/six/p"]),
        ("six-2001-db8", "2001:db8::", &["ns/six/p"]),
        // Whatever is inside; such a name can be that of many.
        ("net-10-0-0-1", "10.0.0.2", &["ns/net//", "ns/net-10//", "ns/net-10-0//", "ns/net-10-0-0//"]),
        ("net-a-b-c-g", "10.0.0.2", &[]),
        ("by.hand", "10.0.0.2", &[]),
        ("", "", &[]),
    ];
    for (name, ip, wanted) in table {
        assert_eq!(values(&named(name, ip, "p")), wanted, "{name} {ip}");
    }
    let mut foreign = capi::IPAddress::default();
    (foreign.metadata.name, foreign.metadata.namespace) = (Some("net-10-0-0-1".to_owned()), Some("ns".to_owned()));
    foreign.spec.address = "10.0.0.1".to_owned();
    foreign.spec.pool_ref = PoolRef { kind: "InClusterIPPool".to_owned(), ..PoolRef::ip_pool("p") };
    assert_eq!(values(&foreign), ["ns/net/"], "of no pool of ours, and in the way all the same");
    assert_eq!(wanted_by(&foreign), BTreeSet::from(["ns/net".to_owned()]));
}
