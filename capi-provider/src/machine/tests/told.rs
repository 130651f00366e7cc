//! What a machine's status tells.

use super::*;

#[test]
fn readiness_follows_the_host_and_not_the_node() {
    let bound_view = |host| View { machine: Arc::new(bound()), hosts: held(host), ..view() };
    let waiting = told(&bound_view(deployed(ProvisioningState::Provisioning)), &nothing_done());
    assert_eq!(condition(&waiting, "Ready"), "False NotReady");
    assert_eq!(condition(&waiting, "HostProvisioned"), "False HostProvisioning");
    assert_eq!(condition(&waiting, "AssociateBareMetalHost"), "True AssociateBareMetalHostSuccess");
    let view = View {
        machine: with_id(bound()),
        nodes: Nodes::Seen([].into()),
        ..bound_view(deployed(ProvisioningState::Provisioned))
    };
    let ready = told(&view, &nothing_done());
    assert!(crate::machine::view::provisioned(&ready));
    assert_eq!(condition(&ready, "Ready"), "True Ready");
    assert_eq!(condition(&ready, "NodeLinked"), "False WaitingForNode");
    let again = View { machine: Arc::new(ready.clone()), now: now() + jiff::SignedDuration::from_hours(1), ..view };
    assert_eq!(told(&again, &nothing_done()), ready, "nothing changed, nothing is written");
}

#[test]
fn temporary_faults_are_told_and_never_terminal() {
    let mut old = bound();
    let gone = old.status.get_or_insert_default().deprecated.get_or_insert_default().v1beta1.get_or_insert_default();
    (gone.failure_reason, gone.failure_message) = (Some("CreateError".into()), Some("x".into()));
    let view = View { machine: Arc::new(old), hosts: held(claim::claimed(&view(), &ours(available("h")))), ..view() };
    for class in [Class::Again, Class::Backoff, Class::User, Class::Peer, Class::Bug] {
        let done = Done { failed: Some(Fault::new(class, "X", "refused")), ..nothing_done() };
        let machine = told(&view, &done);
        let expected = if class == Class::Again { "-" } else { "False CreateError" };
        assert_eq!(condition(&machine, "AssociateMetal3MachineMetaData"), expected, "{class:?}");
        let old = machine.status.unwrap().deprecated.unwrap().v1beta1.unwrap();
        assert_eq!((old.failure_reason, old.failure_message), (None, None));
    }
}

#[test]
fn addresses_are_each_told_once_and_not_too_many() {
    let mut host = available("h");
    let nic = |ip: String| Nic { ip: Some(ip), ..Nic::default() };
    let mut nics: Vec<Nic> = (0..40).map(|i| nic(format!("192.0.2.{i}"))).collect();
    nics.insert(1, nic("192.0.2.0".into()));
    nics.insert(0, nic(String::new()));
    host.status.as_mut().unwrap().hardware =
        Some(HardwareDetails { nics, hostname: Some("h.example".into()), ..HardwareDetails::default() });
    let list = status::addresses(&host);
    assert_eq!(list.len(), 32);
    let text: Vec<String> = list.iter().map(|a| format!("{} {}", a.type_, a.address)).collect();
    assert_eq!(text[..2], ["InternalIP 192.0.2.0", "InternalIP 192.0.2.1"]);
    assert_eq!(text[30..], ["Hostname h.example", "InternalDNS h.example"]);
}
