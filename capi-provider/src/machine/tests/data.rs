//! Data of a machine: the claim for it, whose it is, and when it goes.

use api::infra::v1beta2::{
    Metal3Data, Metal3DataClaim, Metal3DataClaimStatus, Metal3DataStatus, Metal3Machine, ObjectRef,
};
use api::meta::SecretReference;
use kit::owners;

use super::*;

/// The machine's claim for data, in deletion where it says which finalizers are left.
fn data_claim(left: Option<&[&str]>) -> Arc<Metal3DataClaim> {
    let mut claim = Metal3DataClaim { metadata: meta("m"), ..Default::default() };
    claim.metadata.finalizers = Some(vec![finalizer::METAL3_MACHINE.into(), finalizer::METAL3_DATA_CLAIM.into()]);
    if let Some(left) = left {
        claim.metadata.finalizers = Some(left.iter().map(|name| (*name).to_owned()).collect());
        claim = delete(claim);
    }
    Arc::new(claim)
}

/// The same claim, owned by another machine.
fn of_other(claim: &Metal3DataClaim) -> Arc<Metal3DataClaim> {
    let other = Metal3Machine { metadata: meta("other"), ..machine() };
    let mut claim = claim.clone();
    claim.metadata.owner_references = Some(vec![owners::owner_reference(&other, true)]);
    Arc::new(claim)
}

#[test]
fn data_of_an_earlier_host_goes_before_another_is_named() {
    let bound_view = |hosts| View { machine: Arc::new(bound()), hosts, ..view() };
    let lost = || bound_view(free([available("h2")]));
    let both = [finalizer::METAL3_MACHINE, finalizer::METAL3_DATA_CLAIM];
    let back = Hosts { named: Some(Arc::new(available("h"))), ..free([available("h2")]) };
    let table: Vec<(&str, View, &str)> = vec![
        ("host gone", View { claim: Some(data_claim(None)), ..lost() }, "delete Metal3DataClaim m"),
        (
            "and the claim in deletion",
            View { claim: Some(data_claim(Some(&both))), ..lost() },
            "patch Metal3DataClaim m",
        ),
        ("let go", View { claim: Some(data_claim(Some(&both[1..]))), ..lost() }, "WaitingForMetal3Data"),
        ("another machine's", View { claim: Some(of_other(&data_claim(None))), ..lost() }, "patch Metal3Machine m"),
        ("gone with it", lost(), "patch Metal3Machine m"),
        ("the same host again", View { claim: Some(data_claim(None)), ..bound_view(back) }, "patch BareMetalHost h"),
        ("nothing to take", View { claim: Some(data_claim(None)), ..bound_view(free([])) }, "NoAvailableHost"),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
}

#[test]
fn a_claim_deleted_under_a_living_machine_is_let_go_and_made_anew() {
    let mut machine = bound();
    machine.spec.data_template = Some(ObjectRef::new("ns", "t"));
    let with = |claim, host| View { claim, machine: Arc::new(machine.clone()), hosts: held(host), ..view() };
    let both = [finalizer::METAL3_MACHINE, finalizer::METAL3_DATA_CLAIM];
    let fresh = || claim::claimed(&view(), &ours(available("h")));
    let running = deployed(ProvisioningState::Provisioned);
    let table = [
        ("held", with(Some(data_claim(Some(&both))), fresh()), "patch Metal3DataClaim m"),
        ("let go", with(Some(data_claim(Some(&both[1..]))), fresh()), "WaitingForMetal3Data"),
        ("gone", with(None, fresh()), "create Metal3DataClaim m"),
        ("another machine's", with(Some(of_other(&data_claim(None))), fresh()), "WaitingForMetal3Data"),
        ("its addresses are in use", with(Some(data_claim(Some(&both))), running), "patch Metal3Machine m"),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
    let foreign = with(Some(of_other(&data_claim(None))), fresh());
    let said = message(&told(&foreign, &nothing_done()), "Metal3DataReady");
    assert!(said.contains("belongs to Metal3Machine other"), "{said}");
}

#[test]
fn rendered_data() {
    let mut machine = bound();
    machine.spec.data_template = Some(ObjectRef::new("ns", "dt"));
    let claimed = || held(claim::claimed(&view(), &ours(available("h"))));
    let base = View { machine: Arc::new(machine), hosts: claimed(), ..view() };
    let plan = decide(&base).0;
    assert_eq!(short(&plan), "create Metal3DataClaim m");
    let Write::Create { body, .. } = &plan.writes[0] else { panic!() };
    assert_eq!(body["spec"], serde_json::json!({ "template": { "name": "dt", "namespace": "ns" } }));
    assert_eq!(body["metadata"]["ownerReferences"][0]["controller"], true);
    assert_eq!(body["metadata"]["labels"][label::CLUSTER_NAME], "c");

    let claim = Arc::new(Metal3DataClaim { metadata: meta("m"), ..Metal3DataClaim::default() });
    let view = View { claim: Some(claim.clone()), ..base.clone() };
    assert_eq!(doing(&view), "WaitingForMetal3Data");
    let said = |view: &View| message(&told(view, &nothing_done()), "Metal3DataReady");
    assert_eq!(condition(&told(&view, &nothing_done()), "Metal3DataReady"), "False WaitingForMetal3Data");
    assert_eq!(said(&view), "waiting for Metal3DataTemplate dt to give machine m an index (usually 15 s)");
    let status = Metal3DataClaimStatus { rendered_data: None, error_message: Some("it does not exist".into()) };
    let refused = Arc::new(Metal3DataClaim { status: Some(status), ..(*claim).clone() });
    assert_eq!(said(&View { claim: Some(refused), ..base.clone() }), "machine m has no index yet: it does not exist");
    let leaving = Arc::new(delete((*claim).clone()));
    assert_eq!(doing(&View { claim: Some(leaving), ..base.clone() }), "WaitingForMetal3Data");

    let status = Metal3DataClaimStatus { rendered_data: Some(ObjectRef::new("ns", "dt-0")), error_message: None };
    let claim = Arc::new(Metal3DataClaim { status: Some(status), ..(*claim).clone() });
    let mut data = Metal3Data { metadata: meta("dt-0"), ..Metal3Data::default() };
    data.spec.claim = Some(ObjectRef::new("ns", "m"));
    data.spec.network_data = Some(SecretReference::named("m-networkdata"));
    data.status = Some(Metal3DataStatus { ready: Some(false), error_message: Some("pool is empty".into()) });
    let view = View { claim: Some(claim), data: Some(Arc::new(data.clone())), ..base };
    let why = decide(&view).0.next.why().unwrap().message.clone();
    assert_eq!(why, "Metal3Data dt-0 is not rendered yet: pool is empty");
    assert_eq!((said(&view), message(&told(&view, &nothing_done()), "Ready")), (why.clone(), why));
    data.status = Some(Metal3DataStatus { ready: Some(true), error_message: None });
    // What was rendered for an earlier claim of this name, or is going, is not given to the host.
    let mut earlier = Metal3DataClaim { metadata: meta("m"), ..Metal3DataClaim::default() };
    earlier.metadata.uid = Some("uid-earlier".into());
    let mut of_earlier = data.clone();
    of_earlier.metadata.owner_references = Some(vec![owners::owner_reference(&earlier, true)]);
    for (data, says) in
        [(of_earlier, "waiting for Metal3Data dt-0"), (delete(data.clone()), "delete Metal3DataClaim m")]
    {
        let view = View { data: Some(Arc::new(data)), ..view.clone() };
        assert_eq!(doing(&view), "WaitingForMetal3Data", "{says}");
        assert!(said(&view).contains(says), "{}", said(&view));
    }
    let view = View { data: Some(Arc::new(data)), ..view };
    let plan = decide(&view).0;
    let after = apply(&**view.host().unwrap(), &plan.writes[0]);
    assert_eq!(after.spec.network_data.unwrap().name.as_deref(), Some("m-networkdata"));
    let status = told(&view, &nothing_done()).status.unwrap();
    assert_eq!(status.rendered_data, Some(ObjectRef::new("ns", "dt-0")));
    assert_eq!(status.network_data.unwrap().name.as_deref(), Some("m-networkdata"));
}
