use api::metal3::Image;

use super::*;
use crate::machine::fixture::{annotated, available, consumed, delete, host, labelled, ours};

fn wish() -> Wish<'static> {
    Wish {
        namespace: "ns",
        uid: "uid-m",
        selector: Ok(Selector::default()),
        reuse: Some("cp-kcp"),
        cluster: "c",
        failure_domain: None,
        strict_failure_domain: false,
    }
}

fn all(hosts: Vec<BareMetalHost>) -> Vec<Arc<BareMetalHost>> {
    hosts.into_iter().map(Arc::new).collect()
}

fn taken(choice: &Choice) -> String {
    match choice {
        Choice::Take { host, reused } => format!("{}{}", name(host), if *reused { " reused" } else { "" }),
        Choice::WaitForReserved { host, .. } => format!("wait for {host}"),
        Choice::None(tally) => tally.to_string(),
        Choice::Invalid(error) => error.to_string(),
    }
}

fn failed(mut host: BareMetalHost, change: impl FnOnce(&mut api::metal3::BareMetalHostStatus)) -> BareMetalHost {
    change(host.status.as_mut().unwrap());
    host
}

fn with_spec(mut host: BareMetalHost, change: impl FnOnce(&mut api::metal3::BareMetalHostSpec)) -> BareMetalHost {
    change(&mut host.spec);
    host
}

#[test]
fn each_rule_rejects_its_host_and_only_a_good_one_is_taken() {
    let other = |kind: &str| consumed(available("bad"), api::infra::GROUP, kind, "x");
    let table: Vec<(BareMetalHost, &str)> = vec![
        (other("Metal3Machine"), "in use"),
        (other("Other"), "in use"),
        (labelled(available("bad"), label::NODE_REUSE, "md-x"), "reserved for others"),
        (
            labelled(consumed(available("bad"), "cluster.x-k8s.io", "Cluster", "c"), label::NODE_REUSE, "cp-x"),
            "reserved for others",
        ),
        (labelled(other("Metal3Machine"), label::NODE_REUSE, "cp-kcp"), "reserved for others"),
        (
            labelled(consumed(available("bad"), "cluster.x-k8s.io", "Cluster", "d"), label::NODE_REUSE, "cp-kcp"),
            "reserved for others",
        ),
        (delete(available("bad")), "being deleted"),
        (failed(available("bad"), |s| s.error_message = "e".into()), "in error"),
        (failed(available("bad"), |s| s.operational_status = OperationalStatus::Error), "in error"),
        (annotated(available("bad"), annotation::HOST_PAUSED, ""), "paused"),
        (annotated(available("bad"), annotation::HOST_DETACHED, ""), "detached"),
        (failed(available("bad"), |s| s.operational_status = OperationalStatus::Detached), "detached"),
        (annotated(available("bad"), annotation::HOST_UNHEALTHY, ""), "marked unhealthy"),
        (annotated(available("bad"), annotation::HOST_UNHEALTHY_OLD, ""), "marked unhealthy"),
        (with_spec(available("bad"), |s| s.externally_provisioned = true), "externally provisioned"),
        (
            with_spec(available("bad"), |s| s.image = Some(Image { url: "u".into(), ..Image::default() })),
            "with an image of their own",
        ),
    ];
    for (bad, why) in table {
        assert_eq!(taken(&choose(&wish(), &all(vec![bad.clone()]))), format!("1 host: 1 {why}"));
        assert_eq!(taken(&choose(&wish(), &all(vec![bad, available("good")]))), "good", "{why}");
    }
}

#[test]
fn only_two_states_can_be_taken() {
    for state in api::metal3::ProvisioningState::KNOWN {
        let choice = choose(&wish(), &all(vec![host("h", ProvisioningState::from(*state))]));
        let expected = if ["ready", "available"].contains(state) { "h" } else { "1 host: 1 not available" };
        assert_eq!(taken(&choice), expected, "{state}");
    }
}

#[test]
fn the_summary_counts_by_reason() {
    assert_eq!(taken(&choose(&wish(), &[])), "there are no hosts in this namespace");
    let used = (0..8).map(|i| ours(available(&format!("u{i}"))));
    let busy = (0..3).map(|i| host(&format!("b{i}"), ProvisioningState::Preparing));
    let mut hosts: Vec<BareMetalHost> = used.chain(busy).collect();
    hosts.push(labelled(available("l"), "zone", "b"));
    let selector = api::infra::v1beta2::HostSelector {
        match_labels: BTreeMap::from([("zone".into(), "a".into())]),
        ..Default::default()
    };
    for host in &mut hosts[..11] {
        *host = labelled(host.clone(), "zone", "a");
    }
    let wish = Wish { selector: Selector::parse(Some(&selector)), ..wish() };
    assert_eq!(
        taken(&choose(&wish, &all(hosts))),
        "12 hosts: 8 in use, 3 not available, 1 with labels that spec.hostSelector does not match"
    );
}

#[test]
fn hosts_kept_for_the_owner_come_first() {
    let kept = |name: &str, state| {
        labelled(consumed(host(name, state), "cluster.x-k8s.io", "Cluster", "c"), label::NODE_REUSE, "cp-kcp")
    };
    let table = vec![
        ("kept and ready", vec![available("a"), kept("k", ProvisioningState::Available)], "k reused"),
        (
            "kept, not ready: no other is taken",
            vec![available("a"), kept("k", ProvisioningState::Deprovisioning)],
            "wait for k",
        ),
        (
            "one of several is ready",
            vec![kept("j", ProvisioningState::Deprovisioning), kept("k", ProvisioningState::Ready)],
            "k reused",
        ),
        (
            "kept in error: another is taken",
            vec![available("a"), failed(kept("k", ProvisioningState::Available), |s| s.error_message = "e".into())],
            "a",
        ),
        ("label without consumer", vec![labelled(available("k"), label::NODE_REUSE, "cp-kcp")], "k reused"),
    ];
    for (case, hosts, expected) in table {
        assert_eq!(taken(&choose(&wish(), &all(hosts))), expected, "{case}");
    }
}

#[test]
fn failure_domains_are_preferred_or_demanded() {
    let there = |name: &str| labelled(available(name), label::FAILURE_DOMAIN, "fd1");
    let soft = Wish { failure_domain: Some("fd1"), ..wish() };
    let strict = Wish { strict_failure_domain: true, ..soft.clone() };
    for i in 0..20 {
        let hosts = all(vec![
            available(&format!("a{i}")),
            there(&format!("t{i}")),
            labelled(available("z"), label::FAILURE_DOMAIN, "fd2"),
        ]);
        assert_eq!(taken(&choose(&soft, &hosts)), format!("t{i}"));
        assert_eq!(taken(&choose(&strict, &hosts)), format!("t{i}"));
    }
    let elsewhere = all(vec![available("a")]);
    assert_eq!(taken(&choose(&soft, &elsewhere)), "a");
    assert_eq!(taken(&choose(&strict, &elsewhere)), "1 host: 1 in another failure domain");
}

#[test]
fn other_namespaces_are_not_looked_at() {
    let mut foreign = available("f");
    foreign.metadata.namespace = Some("other".into());
    assert_eq!(taken(&choose(&wish(), &all(vec![foreign]))), "there are no hosts in this namespace");
}

#[test]
fn the_choice_is_fixed_for_a_machine_and_scattered_over_machines() {
    let hosts = all((0..10).map(|i| available(&format!("h{i}"))).collect());
    let mut reversed = hosts.clone();
    reversed.reverse();
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..40 {
        let uid = format!("machine-{i}");
        let wish = Wish { uid: &uid, ..wish() };
        let first = taken(&choose(&wish, &hosts));
        assert_eq!(first, taken(&choose(&wish, &reversed)));
        seen.insert(first);
    }
    assert!(seen.len() >= 7, "40 machines chose only {seen:?} of 10 hosts");
}
