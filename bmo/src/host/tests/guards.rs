//! The guards: pause, moved status, deletion, detaching, capacity, an Ironic that does not answer.

use api::metal3::{ErrorType, OperationalStatus, ProvisioningState as S};
use api::names::annotation;
use ironic::{PowerState, ProvisionState as N};
use kit::pass::{Class, Fault, Write};

use serde_json::Value;

use super::*;
use crate::host::status::Outcome;
use crate::host::view::HostView;

fn set(mut v: HostView, with: impl FnOnce(&mut BareMetalHost)) -> HostView {
    change(&mut v, with);
    v
}

fn annotated(v: HostView, key: &str, value: &str) -> HostView {
    set(v, |host| {
        host.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    })
}

fn deleted(v: HostView) -> HostView {
    set(v, |host| *host = host.clone().deleting())
}

#[test]
fn a_paused_host_is_left_alone_in_every_state() {
    for (state, _) in all_states() {
        let v = annotated(view(host(state.clone())), annotation::HOST_PAUSED, "metal3.io/capm3");
        assert_eq!(does(&v), "paused", "{state}");
        assert_eq!(does(&deleted(v)), "paused", "{state} deleted");
    }
}

pub(crate) fn all_states() -> Vec<(S, bool)> {
    S::KNOWN.iter().map(|word| S::from(*word)).map(|state| (state.clone(), state.managed())).collect()
}

#[test]
fn a_moved_status_is_restored_once() {
    let saved = r#"{"operationalStatus":"OK","errorMessage":"","poweredOn":true,"provisioning":{"state":"provisioned","ID":"x"}}"#;
    let fresh = annotated(view(build::host("ns", "a").bmc("redfish://192.0.2.7")), annotation::HOST_STATUS, saved);
    match life::step(&fresh) {
        Step::Note(facts) => match &facts[..] {
            [facts::Fact::Restored(status)] => assert_eq!(status.provisioning.state, S::Provisioned),
            other => panic!("{other:?}"),
        },
        other => panic!("{}", brief(&other)),
    }
    for (v, text) in [(at(S::Available, N::Manageable), saved), (view(build::host("ns", "a")), "no JSON")] {
        let v = annotated(v, annotation::HOST_STATUS, text);
        match life::step(&v) {
            Step::Write(writes, facts) => {
                assert!(facts.is_empty());
                let [Write::Patch { body, .. }] = &writes[..] else { panic!("{writes:?}") };
                assert!(body["metadata"]["annotations"][annotation::HOST_STATUS].is_null());
            }
            other => panic!("{}", brief(&other)),
        }
    }
}

#[test]
fn an_unknown_state_is_shown_and_left_alone() {
    let v = view(host(S::from("levitating")));
    assert_eq!(does(&v), "wait UnknownState");
}

#[test]
fn a_lost_ironic_is_waited_for_and_no_error() {
    for (state, managed) in
        all_states().into_iter().filter(|(state, managed)| *managed && *state != S::Other("x".into()))
    {
        let mut v = view(host(state.clone()));
        v.node = NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", "connection refused"));
        let got = does(&v);
        let fine = ["wait IronicUnreachable", "go preparing", "go available"].contains(&got.as_str());
        assert!(managed && fine, "{state}: {got}");
        let gone = does(&deleted(v));
        assert!(gone.starts_with("go ") || gone == "wait IronicUnreachable", "{state} deleted: {gone}");
    }
}

#[test]
fn a_host_that_ironic_never_knew_goes_without_it() {
    let unreachable = || NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", "connection refused"));
    let mut v = deleted(view(build::host("ns", "a").state(S::Deleting)));
    v.node = unreachable();
    assert_eq!(does(&v), "gone");
    let mut v = deleted(view(host(S::Deleting)));
    v.node = unreachable();
    assert_eq!(does(&v), "wait IronicUnreachable");
}

#[test]
fn a_missing_secret_does_not_keep_a_host_from_going() {
    let mut v = deleted(at(S::PoweringOffBeforeDelete, N::Available));
    v.credentials = Credentials::Missing("a-bmc".into());
    assert_eq!(does(&v), "ask power off");
    v.node = NodeSeen::Absent;
    assert_eq!(does(&v), "go deleting");
}

#[test]
fn the_way_out_of_each_state() {
    let table = [
        (S::Unmanaged, "go deleting"),
        (S::Registering, "go deleting"),
        (S::Inspecting, "go powering off before delete"),
        (S::Preparing, "go powering off before delete"),
        (S::Available, "go powering off before delete"),
        (S::Ready, "go powering off before delete"),
        (S::ExternallyProvisioned, "go powering off before delete"),
        (S::Provisioning, "go deprovisioning"),
        (S::Provisioned, "go deprovisioning"),
    ];
    for (state, wanted) in table {
        assert_eq!(does(&deleted(view(host(state.clone())))), wanted, "{state}");
    }
}

#[test]
fn the_last_steps_of_a_deletion() {
    let off = |v: HostView| node(v, |node| node.power_state = PowerState::Off);
    let failing = |v: HostView, kind, count| set(v, |host| *host = host.clone().error(kind, "dead", count));
    let incomplete = |mut v: HostView| {
        let mut secret = secret(&v, "8");
        secret.data.as_mut().unwrap().remove("password");
        v.credentials = Credentials::Read(Box::new(secret));
        v
    };
    let no_network = |mut v: HostView| {
        v.ramdisk_network = Material::Broken("no key networkData".into());
        v
    };
    let other_network = |mut v: HostView| {
        v.ramdisk_network = Material::Some("links: []".into());
        v
    };
    let power_failed = |v: HostView| node(v, |node| node.last_error = Some("Failed to change power state".into()));
    let inspect = |v: HostView| node(v, |node| node.target_provision_state = Some(N::Manageable));
    let table = vec![
        (at(S::PoweringOffBeforeDelete, N::Available), "ask power off"),
        (off(at(S::PoweringOffBeforeDelete, N::Available)), "go deleting"),
        (at(S::PoweringOffBeforeDelete, N::InspectWait), "ask abort"),
        (inspect(at(S::PoweringOffBeforeDelete, N::CleanWait)), "ask abort"),
        (at(S::PoweringOffBeforeDelete, N::CleanWait), "wait PoweringOff"),
        (inspect(at(S::PoweringOffBeforeDelete, N::CleanFailed)), "ask manage"),
        (power_failed(at(S::PoweringOffBeforeDelete, N::Available)), "power management error"),
        (
            failing(power_failed(at(S::PoweringOffBeforeDelete, N::Available)), ErrorType::PowerManagement, 4),
            "go deleting",
        ),
        (failing(at(S::PoweringOffBeforeDelete, N::Enroll), ErrorType::Registration, 4), "go deleting"),
        (failing(at(S::Deprovisioning, N::CleanFailed), ErrorType::Provisioning, 4), "go powering off before delete"),
        (failing(at(S::Deprovisioning, N::Active), ErrorType::PowerManagement, 4), "ask deleted"),
        (failing(at(S::PoweringOffBeforeDelete, N::Available), ErrorType::Provisioning, 4), "ask power off"),
        (node(at(S::Deprovisioning, N::Available), |node| node.instance_uuid = None), "go powering off before delete"),
        // What only a host with a future needs does not keep this one from being wiped.
        (incomplete(tried(at(S::Deprovisioning, N::Active), "8")), "ask deleted"),
        (incomplete(at(S::Deprovisioning, N::Active)), "note"),
        (no_network(at(S::Deprovisioning, N::Active)), "ask deleted"),
        (other_network(at(S::Deprovisioning, N::Active)), "ask deleted"),
        (at(S::Deleting, N::Available), "ask delete"),
        (at(S::Deleting, N::Enroll), "ask delete"),
        (at(S::Deleting, N::Active), "ask maintenance"),
        (node(at(S::Deleting, N::Active), |node| node.maintenance = true), "ask delete"),
        (
            node(at(S::Deleting, N::Available), |node| node.instance_uuid = Some("i".into())),
            "ask update /instance_uuid",
        ),
        (at(S::Deleting, N::Verifying), "wait RemovingNode"),
    ];
    for (index, (v, wanted)) in table.into_iter().enumerate() {
        assert_eq!(does(&deleted(v)), wanted, "row {index}");
    }
    let mut done = deleted(view(host(S::Deleting)));
    done.node = NodeSeen::Absent;
    match life::step(&done) {
        Step::Gone(writes) => {
            let targets: Vec<_> = writes.iter().map(|write| write.target().resource.kind.clone()).collect();
            assert_eq!(targets, ["Secret", "BareMetalHost"]);
        }
        other => panic!("{}", brief(&other)),
    }
}

/// With this version of the Secret handed to Ironic.
fn tried(v: HostView, version: &str) -> HostView {
    set(v, |host| host.status_mut().tried_credentials.credentials_version = Some(version.to_owned()))
}

#[test]
fn a_deletion_is_not_cut_short_by_failures_of_the_life_before() {
    let table = [
        (last_error(at(S::Deprovisioning, N::CleanFailed), "no"), ErrorType::Provisioning, "provisioning error"),
        (at(S::Deprovisioning, N::Active), ErrorType::Registration, "ask deleted"),
        (at(S::Provisioned, N::Active), ErrorType::PowerManagement, "ask deleted"),
        (at(S::Provisioned, N::Active), ErrorType::Servicing, "ask deleted"),
        (at(S::Provisioning, N::DeployFailed), ErrorType::Provisioning, "ask deleted"),
        (at(S::Inspecting, N::InspectFailed), ErrorType::Inspection, "ask power off"),
        (at(S::Available, N::Available), ErrorType::PowerManagement, "ask power off"),
    ];
    for (v, kind, wanted) in table {
        let mut v = set(v, |host| {
            *host = host.clone().error(kind.clone(), "it failed", 4);
            host.metadata.deletion_timestamp = Some(Time(now()));
        });
        let (_, status) = super::record::pass(&v, Outcome::Done(None));
        assert_eq!((status.error_type.as_ref(), status.error_count), (None, 0), "{}", v.state);
        change(&mut v, |host| host.status = Some(status));
        let v = node(v, |node| node.instance_uuid = None);
        assert_eq!(does(&v), wanted, "{} with {kind:?}", v.state);
    }
}

#[test]
fn a_node_of_the_bare_name_is_not_removed_with_a_host() {
    assert_eq!(wish::node_names(&view(host(S::Registering))), ["ns~a", "a"]);
    assert_eq!(wish::node_names(&view(host(S::Deleting))), ["ns~a"]);
    assert_eq!(wish::node_names(&at(S::Deleting, N::Available)), ["n", "ns~a"]);
}

#[test]
fn detaching_forgets_the_node_and_nothing_else() {
    let asked = |v: HostView| annotated(v, annotation::HOST_DETACHED, "");
    let forced = |v: HostView| annotated(v, annotation::HOST_DETACHED, r#"{"force":true}"#);
    let delayed = |v: HostView| annotated(v, annotation::HOST_DETACHED, r#"{"deleteAction":"delay"}"#);
    let absent = |mut v: HostView| {
        v.node = NodeSeen::Absent;
        v
    };
    let is =
        |v: HostView| set(v, |host| host.status_mut().operational_status = api::metal3::OperationalStatus::Detached);
    let table = vec![
        (asked(at(S::Provisioned, N::Active)), "ask maintenance"),
        (node(asked(at(S::Provisioned, N::Active)), |node| node.maintenance = true), "ask delete"),
        (absent(asked(view(host(S::Provisioned)))), "wait Detached"),
        (absent(is(asked(view(host(S::Provisioned))))), "wait Detached"),
        (absent(is(view(host(S::Provisioned)))), "note"),
        (asked(at(S::Provisioning, N::WaitCallBack)), "wait Deploying"),
        (forced(at(S::Provisioning, N::WaitCallBack)), "ask abort"),
        (forced(at(S::Inspecting, N::InspectWait)), "ask abort"),
        (deleted(asked(at(S::Provisioned, N::Active))), "go deleting"),
        // A delayed deletion does not keep the host in Ironic.
        (deleted(delayed(at(S::Provisioned, N::Active))), "ask maintenance"),
        (absent(deleted(delayed(view(host(S::Provisioned))))), "wait Detached"),
        (absent(is(deleted(delayed(view(host(S::Provisioned)))))), "wait DeletionDelayed"),
        (deleted(delayed(at(S::Provisioning, N::WaitCallBack))), "wait DeletionDelayed"),
    ];
    for (index, (v, wanted)) in table.into_iter().enumerate() {
        assert_eq!(does(&v), wanted, "row {index}");
    }
}

#[test]
fn a_full_ironic_delays_and_room_releases() {
    let delayed =
        |v: HostView| set(v, |host| host.status_mut().operational_status = api::metal3::OperationalStatus::Delayed);
    let full = |mut v: HostView| {
        v.capacity.busy = 20;
        v
    };
    assert_eq!(does(&full(at(S::Registering, N::Manageable))), "wait WaitingForCapacity");
    assert_eq!(does(&full(at(S::Inspecting, N::Manageable))), "wait WaitingForCapacity");
    assert_eq!(does(&full(delayed(at(S::Registering, N::Manageable)))), "wait WaitingForCapacity");
    assert_eq!(does(&delayed(at(S::Registering, N::Manageable))), "note");
    // A failure from before the wait is the same failure after it.
    let failed = set(at(S::Deprovisioning, N::CleanFailed), |host| {
        *host = host.clone().error(ErrorType::Provisioning, "no", 2);
        host.status_mut().last_updated = Some(Time(now()));
    });
    let (_, status) = super::record::pass(&delayed(failed), Outcome::Done(None));
    assert_eq!((status.error_type.as_ref(), status.error_count), (Some(&ErrorType::Provisioning), 2));
    assert_eq!((status.operational_status, status.last_updated), (OperationalStatus::Error, Some(Time(now()))));
    // A host that shall go waits for nobody.
    let going = |v: HostView| deleted(full(v));
    assert_eq!(does(&going(at(S::Inspecting, N::InspectWait))), "go powering off before delete");
    assert_eq!(does(&going(delayed(at(S::Inspecting, N::Manageable)))), "note");
    assert_eq!(does(&going(at(S::Provisioned, N::Active))), "go deprovisioning");
    assert_eq!(does(&going(at(S::Deprovisioning, N::Active))), "ask deleted");
    let mut own = full(at(S::Inspecting, N::InspectWait));
    own.capacity.exempt = true;
    assert_eq!(does(&own), "wait Inspecting");
}

#[test]
fn hardware_from_elsewhere_is_taken_where_nobody_inspects() {
    let text = serde_json::to_string(&details("x86_64")).unwrap();
    let disabled = |v: HostView| set(v, |host| *host = host.clone().no_inspection());
    let v = disabled(annotated(at(S::Available, N::Manageable), annotation::HARDWARE_DETAILS, &text));
    let step = life::step(&v);
    assert_eq!(brief(&step), "write 1");
    assert!(facts_of(&step).iter().any(|fact| matches!(fact, facts::Fact::Hardware(_))));
    let known = set(annotated(at(S::Available, N::Manageable), annotation::HARDWARE_DETAILS, &text), |host| {
        host.status_mut().hardware = Some(details("aarch64"));
    });
    let step = life::step(&known);
    assert_eq!(brief(&step), "write 1");
    assert!(!facts_of(&step).iter().any(|fact| matches!(fact, facts::Fact::Hardware(_))));
}

#[test]
fn secrets_are_marked_and_held() {
    let mut v = at(S::Registering, N::Manageable);
    let mut bare = secret(&v, "9");
    bare.metadata.labels = None;
    bare.metadata.finalizers = None;
    bare.metadata.owner_references = None;
    bare.metadata.name = Some("net".into());
    v.ramdisk_secret = Some(Box::new(bare));
    let Step::Write(writes, _) = life::step(&v) else { panic!("{}", does(&v)) };
    let [Write::Patch { target, body }] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!((target.key.name.as_str(), target.resource_version.as_deref()), ("net", Some("9")));
    assert_eq!(body["metadata"]["labels"]["environment.metal3.io"], "baremetal");
    assert_eq!(body["metadata"]["finalizers"][0], finalizer::HOST_SECRET);
    let owner = &body["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["controller"]), (&"BareMetalHost".into(), &Value::Null));
}
