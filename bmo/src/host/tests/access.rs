//! The Secrets of the management controller and the ramdisk: what counts as changed, what proves that access works, and
//! what is given back.

use api::metal3::{CredentialsStatus, ProvisioningState as S};
use api::names::finalizer;
use ironic::ProvisionState as N;
use kit::pass::{Class, Fault, Write};
use kit::runtime::SecretMeta;
use serde_json::Value;

use super::record::{events, pass};
use super::*;
use crate::calls::{Answer, reason};
use crate::host::release;
use crate::host::status::Outcome;
use crate::host::view::{HostView, Stale};
use crate::node::fingerprint;

/// A settled host whose Secret has another version; its node was given these credentials last.
fn moved(state: S, node_state: N, given: Option<&str>) -> HostView {
    let mut v = with_node(view(host(state)), node_state);
    v.credentials = Credentials::Read(Box::new(secret(&v, "8")));
    v.fingerprint = wish::fingerprint(&v);
    node(v, |node| {
        if let Some(password) = given {
            node.extra.set(fingerprint::KEY, fingerprint::of("uid-secret", "u", password));
        }
    })
}

fn versions(v: &HostView) -> [Option<String>; 2] {
    let status = v.status();
    [status.tried_credentials.credentials_version, status.good_credentials.credentials_version]
}

fn after(mut v: HostView, outcome: Outcome<'_>) -> (Vec<String>, HostView) {
    let (record, status) = pass(&v, outcome);
    let told = events(&record).into_iter().map(ToOwned::to_owned).collect();
    change(&mut v, |host| host.status = Some(status));
    (told, v)
}

#[test]
fn a_label_on_the_secret_is_no_other_password() {
    for (given, wanted) in [(Some("p"), "note"), (Some("old"), "ask update"), (None, "ask update")] {
        let v = moved(S::Available, N::Available, given);
        assert!(does(&v).starts_with(wanted), "{given:?}: {}", does(&v));
    }
    let v = moved(S::Available, N::Available, Some("p"));
    let (told, v) = after(v, Outcome::Done(None));
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(versions(&v), [Some("8".to_owned()), Some("8".to_owned())]);
    assert_eq!(does(&v), "rest");
}

#[test]
fn what_a_node_is_given_is_remembered_with_it() {
    let v = moved(S::Available, N::Available, Some("old"));
    let Step::Ask(ask) = life::step(&v) else { panic!("{}", does(&v)) };
    let HostCall::UpdateNode { patch, .. } = &ask.call else { panic!("{:?}", ask.call) };
    let value =
        |path: &str| patch.operations().iter().find(|o| o.path() == path).map(|o| serde_json::to_value(o).unwrap());
    assert_eq!(value("/driver_info/redfish_password").unwrap()["value"], "p");
    assert_eq!(value("/extra/metal3_credentials").unwrap()["value"], fingerprint::of("uid-secret", "u", "p"));
    let mut v = view(host(S::Registering));
    v.fingerprint = wish::fingerprint(&v);
    assert_eq!(wish::new_node(&v).unwrap().extra.text(fingerprint::KEY), v.fingerprint.as_deref());
}

/// The node takes the password of the Secret.
fn given(v: HostView) -> HostView {
    let (_, v) = after(v, Outcome::Done(Some(&Answer::Node(None))));
    let known = wish::fingerprint(&v).unwrap();
    node(v, |node| node.extra.set(fingerprint::KEY, known))
}

#[test]
fn new_credentials_of_a_registered_host_are_proven_before_anybody_is_told() {
    for (state, node_state) in [(S::Available, N::Available), (S::Provisioned, N::Active)] {
        let v = given(moved(state.clone(), node_state.clone(), Some("old")));
        assert_eq!(versions(&v), [Some("8".to_owned()), Some("7".to_owned())]);
        assert_eq!(does(&v), "ask verify access", "{state}");
        let (told, good) = after(v, Outcome::Done(Some(&Answer::Done)));
        assert_eq!(told, ["BMCAccessValidated"]);
        assert_eq!((versions(&good)[1].as_deref(), does(&good)), (Some("8"), "rest".to_owned()));

        let refusal = Fault::new(Class::Peer, reason::NO_ACCESS, "the management controller cannot be used: 401");
        let v = given(moved(state, node_state, Some("old")));
        let (told, bad) = after(v, Outcome::Refused(&refusal));
        assert_eq!(told, ["RegistrationError"]);
        assert_eq!(versions(&bad)[1].as_deref(), Some("7"));
        assert!(bad.status().error_message.contains("401"));
        let mut bad = bad;
        change(&mut bad, |host| host.status_mut().last_updated = Some(Time(now())));
        assert_eq!(does(&bad), "wait RegistrationError");
        // Another try when the back-off is over, and at once with another password.
        let mut later = with_node(view(bad.host.as_ref().clone()), bad.node().unwrap().provision_state.clone());
        change(&mut later, |host| *host = bad.host.as_ref().clone());
        later.credentials = bad.credentials.clone();
        later.now = now() + jiff::SignedDuration::from_mins(3);
        assert_eq!(does(&later), "ask verify access");
        let (told, mended) = after(later, Outcome::Done(Some(&Answer::Done)));
        assert_eq!((told, mended.error()), (vec!["BMCAccessValidated".to_owned()], None));
    }
}

#[test]
fn nothing_is_claimed_while_ironic_works_on_the_node_and_a_deletion_does_not_wait_for_proof() {
    let unproven = |node_state: N| given(moved(S::Provisioning, node_state, Some("old")));
    let (told, v) = after(unproven(N::Deploying), Outcome::Done(None));
    assert!(!told.contains(&"BMCAccessValidated".to_owned()), "{told:?}");
    assert_eq!(versions(&v)[1].as_deref(), Some("7"));
    let mut going = given(moved(S::Deprovisioning, N::Active, Some("old")));
    change(&mut going, |host| *host = host.clone().deleting());
    assert_eq!(does(&going), "ask deleted");
}

#[test]
fn ironic_itself_proves_what_a_host_is_registered_with() {
    let registering = |node_state: N, begun: bool| {
        let mut v = with_node(view(host(S::Registering)), node_state);
        change(&mut v, |host| {
            let status = host.status_mut();
            status.good_credentials = CredentialsStatus::default();
            status.operation_history.register.start = begun.then(|| Time(now()));
        });
        v
    };
    assert_eq!(does(&registering(N::Enroll, true)), "ask manage");
    let (told, v) = after(registering(N::Manageable, true), Outcome::Done(None));
    assert_eq!((told, versions(&v)[1].as_deref()), (vec!["BMCAccessValidated".to_owned()], Some("7")));
    // Other credentials came after that.
    assert_eq!(does(&registering(N::Manageable, false)), "ask verify access");
    let v = moved(S::Registering, N::Manageable, Some("old"));
    let Step::Ask(ask) = life::step(&v) else { panic!("{}", does(&v)) };
    assert!(ask.done.contains(&facts::Fact::RegisterAgain));
}

#[test]
fn another_protocol_needs_the_secret_again() {
    let mut v = with_node(view(host(S::Registering)), N::Manageable);
    let known = v.node().unwrap().clone();
    assert!(wish::has_login(&v, &known));
    change(&mut v, |host| host.spec.bmc.address = "ipmi://192.0.2.7".into());
    assert!(!wish::has_login(&v, &known));
    let patch = wish::identity_patch(&v, &known).unwrap();
    let sent = |path: &str| patch.operations().iter().any(|operation| operation.path() == path);
    assert!(sent("/driver_info/ipmi_password") && sent("/driver_info/ipmi_username"), "{patch:?}");
    assert!(sent("/driver_info/redfish_password"), "the old login stays: {patch:?}");
}

#[test]
fn a_secret_that_is_named_no_more_is_given_back() {
    let v = with_node(view(host(S::Available)), N::Available);
    let meta = |name: &str, finalizers: &[&str]| {
        let mut meta = SecretMeta { metadata: secret(&v, "9").metadata, ..SecretMeta::default() };
        meta.metadata.name = Some(name.into());
        meta.metadata.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
        meta
    };
    let ours = [finalizer::HOST_SECRET, "other/x"];
    let stale = [(meta("a-bmc", &ours), false), (meta("old", &ours), true), (meta("old", &["other/x"]), false)];
    for (secret, wanted) in &stale {
        assert_eq!(release::is_stale(&v.host, secret), *wanted, "{:?}", secret.metadata);
        assert_eq!(release::owning_hosts(secret), [kit::key::Key::new("ns", "a")]);
    }
    for shared in [false, true] {
        let mut v = with_node(view(host(S::Available)), N::Available);
        v.stale = vec![Stale { secret: Arc::new(meta("old", &ours)), shared }];
        let Step::Write(writes, _) = life::step(&v) else { panic!("{}", does(&v)) };
        let [Write::Patch { target, body }] = &writes[..] else { panic!("{writes:?}") };
        let seen = (target.resource.kind.as_str(), target.key.name.as_str(), target.resource_version.as_deref());
        assert_eq!(seen, ("Secret", "old", Some("9")));
        let meta = &body["metadata"];
        assert!(meta["ownerReferences"] == Value::Null || meta["ownerReferences"] == Value::Array(Vec::new()));
        let (kept, label) = (&meta["finalizers"], meta["labels"].get("environment.metal3.io"));
        if shared {
            assert_eq!((kept, label), (&Value::Null, None), "another host needs them");
        } else {
            assert_eq!((kept, label), (&serde_json::json!(["other/x"]), Some(&Value::Null)));
        }
    }
    let mut gone = view(host(S::Deleting).deleting());
    gone.node = NodeSeen::Absent;
    gone.stale = vec![Stale { secret: Arc::new(meta("old", &ours)), shared: false }];
    let Step::Gone(writes) = life::step(&gone) else { panic!("{}", does(&gone)) };
    let names: Vec<_> = writes.iter().map(|write| write.target().key.name.as_str()).collect();
    assert_eq!(names, ["old", "a-bmc", "a"]);
}
