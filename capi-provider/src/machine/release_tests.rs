use std::sync::Arc;

use api::metal3::{BareMetalHostStatus, Image};
use api::names::finalizer;
use kit::runtime::SecretMeta;

use super::*;
use crate::machine::fixture::{
    annotated, apply, available, consumed, delete, held, host, labelled, labels_of, machine, meta, ours, view,
};

fn secret_ref(name: &str) -> SecretReference {
    SecretReference::named(name)
}

/// A provisioned host of the machine `m`.
fn running() -> BareMetalHost {
    let mut host = ours(host("h", ProvisioningState::Provisioned));
    host.spec.online = true;
    host.spec.image = Some(Image { url: "u".into(), ..Image::default() });
    host.spec.user_data = Some(secret_ref("boot"));
    host.spec.meta_data = Some(secret_ref("m-metadata"));
    host.spec.network_data = Some(secret_ref("m-networkdata"));
    let host = labelled(host, label::CLUSTER_NAME, "c");
    annotated(host, annotation::CLUSTERCTL_BLOCK_MOVE, "")
}

fn leaving(host: BareMetalHost) -> View {
    View { machine: Arc::new(delete(machine())), hosts: held(host), ..view() }
}

#[test]
fn what_the_machine_put_there_is_taken_off_and_nothing_else() {
    let view = leaving(running());
    let host = running();
    let Release::Write(write) = step(&view, &host) else { panic!("no write") };
    assert_eq!(write.target().resource_version.as_deref(), Some("1"), "a release races with the host's controller");
    let after = apply(&host, &write);
    assert!(after.spec.image.is_none() && after.spec.user_data.is_none());
    assert!(after.spec.meta_data.is_none() && after.spec.network_data.is_none());
    assert!(!after.spec.online);
    assert!(after.spec.consumer_ref.is_some(), "the consumer stays until the host is clean");

    let mut own = running();
    own.spec.network_data = Some(secret_ref("users-own"));
    own.spec.preprovisioning_network_data_name = Some("pre".into());
    let Release::Write(write) = step(&leaving(own.clone()), &own) else { panic!("no write") };
    let after = apply(&own, &write);
    assert_eq!(after.spec.network_data, Some(secret_ref("users-own")));
    assert_eq!(after.spec.preprovisioning_network_data_name.as_deref(), Some("pre"));
}

#[test]
fn power_after_release() {
    use AutomatedCleaningMode::{Disabled, Metadata};
    // disablePowerOff, fast track, cleaning, stays on
    let table = [
        (true, false, None, true),
        (true, false, Some(Metadata), true),
        (true, false, Some(Disabled), true),
        (true, true, None, true),
        (true, true, Some(Metadata), true),
        (true, true, Some(Disabled), true),
        (false, true, None, true),
        (false, true, Some(Metadata), true),
        (false, true, Some(Disabled), false),
        (false, false, None, false),
        (false, false, Some(Metadata), false),
        (false, false, Some(Disabled), false),
    ];
    for (disable_power_off, fast, cleaning, expected) in table {
        let mut host = running();
        host.spec.disable_power_off = disable_power_off;
        host.spec.automated_cleaning_mode = cleaning.clone();
        assert_eq!(stays_on(fast, &host), expected, "{disable_power_off} {fast} {cleaning:?}");
    }
}

#[test]
fn states_that_wait_and_states_that_do_not() {
    let go = ["", "unmanaged", "registering", "match profile", "inspecting", "ready", "available"];
    for state in ProvisioningState::KNOWN.iter().chain(&["something new"]) {
        let waits = unfinished(&host("h", ProvisioningState::from(*state))).is_some();
        let expected = !go.contains(state) && *state != "externally provisioned";
        assert_eq!(waits, expected, "{state:?}");
    }
    let external = |on: bool| BareMetalHost {
        status: Some(BareMetalHostStatus {
            powered_on: on,
            ..host("h", ProvisioningState::ExternallyProvisioned).status.unwrap()
        }),
        ..host("h", ProvisioningState::ExternallyProvisioned)
    };
    assert!(unfinished(&external(true)).is_some());
    assert!(unfinished(&external(false)).is_none());
}

#[test]
fn a_wait_quotes_the_host() {
    let mut host = ours(host("h", ProvisioningState::Deprovisioning));
    host.status.as_mut().unwrap().error_message = "BMC does not answer".into();
    let Release::Wait(why) = step(&leaving(host.clone()), &host) else { panic!("no wait") };
    assert_eq!(why.reason, "HostDeprovisioning");
    assert_eq!(why.message, "host h is deprovisioning; error: BMC does not answer");
}

fn clean() -> BareMetalHost {
    let host = labelled(ours(available("h")), label::CLUSTER_NAME, "c");
    let host = annotated(labelled(host, "rack", "7"), annotation::CLUSTERCTL_BLOCK_MOVE, "");
    annotated(host, "reboot.metal3.io/metal3-remediation-gone", "")
}

#[test]
fn the_host_is_freed_last() {
    let mut host = clean();
    host.spec.bmc.credentials_name = "bmc".into();
    let mut view = leaving(host.clone());
    let mut secret = SecretMeta { metadata: meta("bmc"), types: None, _phantom: std::marker::PhantomData };
    secret.metadata.labels = Some([(label::CLUSTER_NAME.to_owned(), "c".to_owned())].into());
    view.bmc_secret = Some(secret);
    let Release::Write(Write::Patch { target, body }) = step(&view, &host) else { panic!("no write") };
    assert_eq!((target.resource.kind.as_str(), target.key.name.as_str()), ("Secret", "bmc"));
    assert_eq!(body, json!({ "metadata": { "labels": { label::CLUSTER_NAME: null } } }));
    view.bmc_secret = None;

    let mut claim = api::infra::v1beta2::Metal3DataClaim { metadata: meta("m"), ..Default::default() };
    claim.metadata.finalizers = Some(vec![finalizer::METAL3_MACHINE.into(), finalizer::METAL3_DATA_CLAIM.into()]);
    view.claim = Some(Arc::new(claim.clone()));
    assert!(matches!(step(&view, &host), Release::Write(Write::Delete { .. })));
    view.claim = Some(Arc::new(delete(claim.clone())));
    let Release::Write(Write::Patch { body, .. }) = step(&view, &host) else { panic!("no write") };
    assert_eq!(body, json!({ "metadata": { "finalizers": [finalizer::METAL3_DATA_CLAIM] } }));
    claim.metadata.finalizers = Some(vec![finalizer::METAL3_DATA_CLAIM.into()]);
    view.claim = Some(Arc::new(delete(claim)));

    let Release::Free(write) = step(&view, &host) else { panic!("not freed") };
    let after = apply(&host, &write);
    assert!(after.spec.consumer_ref.is_none());
    assert_eq!(labels_of(&after), [("rack".to_owned(), "7".to_owned())].into());
    assert_eq!(after.metadata.annotations.unwrap_or_default(), [].into(), "nor what kept it off");
}

#[test]
fn a_wish_that_cannot_be_read_is_told_and_waited_for() {
    let mut view = leaving(clean());
    let fault = Fault::new(kit::pass::Class::User, "Forbidden", "get RKE2ControlPlane ns/c: forbidden");
    view.reuse.keep = Err(fault);
    let Release::Unknown(why) = step(&view, &clean()) else { panic!("told") };
    assert!(why.message.contains("RKE2ControlPlane ns/c") && why.message.contains("nodeReuse"), "{}", why.message);
}

#[test]
fn a_host_is_kept_for_its_owner_only_where_asked_and_while_the_cluster_lives() {
    let table = [(true, false, true), (true, true, false), (false, false, false)];
    for (keep, cluster_deleting, kept) in table {
        let mut view = leaving(clean());
        view.reuse.keep = Ok(keep);
        if cluster_deleting {
            view.cluster = view.cluster.map(|cluster| Arc::new(delete((*cluster).clone())));
        }
        let Release::Free(write) = step(&view, &clean()) else { panic!("not freed") };
        let after = apply(&clean(), &write);
        assert_eq!(labels_of(&after).get(label::NODE_REUSE).map(String::as_str), kept.then_some("cp-kcp"));
        let expected =
            if kept { consumer::Consumer::Cluster(kit::pass::Key::new("ns", "c")) } else { consumer::Consumer::None };
        assert_eq!(consumer::Consumer::of(&after), expected, "{keep} {cluster_deleting}");
    }
}

#[test]
fn a_cluster_label_of_others_stays() {
    let host = labelled(ours(available("h")), label::CLUSTER_NAME, "other");
    let Release::Free(write) = step(&leaving(host.clone()), &host) else { panic!("not freed") };
    assert_eq!(labels_of(&apply(&host, &write))[label::CLUSTER_NAME], "other");
    let foreign = consumed(available("h"), "x", "Y", "z");
    assert!(!leaving(host).uses(&foreign));
}

#[test]
fn owner_references_of_old_releases_go_before_the_machine_does() {
    let owner = |kind: &str, group: &str| k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
        api_version: format!("{group}/v1beta1"),
        kind: kind.into(),
        name: "m".into(),
        uid: "uid-m".into(),
        ..Default::default()
    };
    let mut host = running();
    host.metadata.owner_references =
        Some(vec![owner("Metal3Machine", api::infra::GROUP), owner("Site", "example.com")]);
    let Release::Write(write) = step(&leaving(host.clone()), &host) else { panic!("no write") };
    assert_eq!(apply(&host, &write).metadata.owner_references, Some(vec![owner("Site", "example.com")]));
    let living = View { machine: Arc::new(machine()), ..leaving(host.clone()) };
    let after = crate::machine::claim::claimed(&living, &host);
    assert_eq!(after.metadata.owner_references, Some(vec![owner("Site", "example.com")]));
}
