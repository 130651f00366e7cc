//! Where several address objects name one address.

use super::*;

impl PoolView {
    /// An address object of ours for an IPAddressClaim.
    fn capi_address(mut self, claim: &str, ip: &str) -> Self {
        let metadata = address_meta(ip, finalizer::CAPI_IP_ADDRESS);
        let mut address = capi::IPAddress { metadata, ..capi::IPAddress::default() };
        address.spec.claim_ref.name = claim.to_owned();
        address.spec.pool_ref = PoolRef::ip_pool("p");
        address.spec.address = ip.to_owned();
        self.addresses.push(AddressSeen { address: Address::Capi(Arc::new(address)), claim_is_gone: false });
        self
    }

    /// The last address is as somebody else would have made it.
    fn by_hand(mut self, name: &str, made: i64) -> Self {
        let address = of_metal3(&mut self.addresses.last_mut().unwrap().address);
        (address.metadata.name, address.metadata.finalizers) = (Some(name.to_owned()), None);
        address.metadata.creation_timestamp = Some(Time(at(made)));
        self
    }

    /// The last address was made then.
    fn made(mut self, second: i64) -> Self {
        let meta = match &mut self.addresses.last_mut().unwrap().address {
            Address::Metal3(address) => &mut Arc::make_mut(address).metadata,
            Address::Capi(address) => &mut Arc::make_mut(address).metadata,
        };
        meta.creation_timestamp = Some(Time(at(second)));
        self
    }
}

fn told(mut claim: IPAddressClaim, object: &str) -> IPAddressClaim {
    claim.metadata.finalizers = Some(vec![finalizer::CAPI_IP_ADDRESS_CLAIM.to_owned()]);
    let status = claim.status.get_or_insert_default();
    status.address_ref.name = object.to_owned();
    let ready = kit::conditions::Condition::yes("Ready", "Allocated");
    kit::conditions::set(&mut status.conditions, &ready, Some(3), at(NOW));
    claim
}

fn pool() -> PoolView {
    view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9")))
}

/// Two claims that were told one address.
pub(crate) fn shared() -> PoolView {
    let view = pool().claim(served(metal3("m"), "p-10-0-0-1")).capi(told(capi_claim("c"), "p-10-0-0-1"));
    view.address("m", "10.0.0.1").capi_address("c", "10.0.0.1")
}

fn twins(plan: &Plan<Round>) -> Vec<Vec<String>> {
    let chains = plan.call.iter().flat_map(|round| &round.chains);
    let names = |chain: &Chain| match &chain.deed {
        Deed::Grant { twins, .. } => twins.iter().map(|(flavor, name)| format!("{flavor:?} {name}")).collect(),
        Deed::Refuse(_) | Deed::Release(_) => Vec::new(),
    };
    chains.map(names).collect()
}

/// Owners are of no interest here: only deeds that take or give addresses.
fn moves(view: &PoolView) -> Vec<String> {
    deeds(&decide(view)).into_iter().filter(|deed| !deed.ends_with(" by patch")).collect()
}

#[test]
fn before_a_claim_is_told_the_other_names_of_its_address_are_looked_up() {
    assert_eq!(twins(&decide(&pool().claim(metal3("a")))), [["Capi p-10-0-0-1"]]);
    assert_eq!(twins(&decide(&pool().capi(capi_claim("a")))), [["Metal3 p-10-0-0-1"]]);
    let crashed = owned(pool().claim(held(metal3("a"))).address("a", "10.0.0.4"));
    assert_eq!(twins(&decide(&crashed)), [["Capi p-10-0-0-4"]], "a crash between the object and the look");
    let by_hand = pool().claim(held(metal3("a"))).address("a", "10.0.0.4").by_hand("mine", NOW);
    assert_eq!(twins(&decide(&by_hand)), [["Metal3 p-10-0-0-4", "Capi p-10-0-0-4"]]);
    let knows = pool().claim(served(metal3("a"), "p-10-0-0-4"));
    assert_eq!(twins(&decide(&knows)), [[""; 0]], "what it was told is only made anew");
}

#[test]
fn of_two_objects_with_one_address_that_of_the_told_claim_stays() {
    let early = NOW - 90;
    let table = [
        (
            pool().claim(served(metal3("m"), "p-10-0-0-1")).capi(capi_claim("c")),
            "c: release 10.0.0.1 by patch, patch, delete",
        ),
        (
            pool().claim(metal3("m")).capi(told(capi_claim("c"), "p-10-0-0-1")),
            "m: release 10.0.0.1 by patch, patch, delete",
        ),
    ];
    for (view, expected) in table {
        for (metal3_made, capi_made) in [(early, NOW), (NOW, early)] {
            let view =
                view.clone().address("m", "10.0.0.1").made(metal3_made).capi_address("c", "10.0.0.1").made(capi_made);
            assert_eq!(moves(&view), [expected]);
        }
    }
}

#[test]
fn of_two_untold_claims_with_one_address_the_older_object_stays_and_the_claim_is_told_later() {
    let view = |metal3_made: i64, capi_made: i64| {
        let claims = pool().claim(held(metal3("m"))).capi(capi_claim("c"));
        claims.address("m", "10.0.0.1").made(metal3_made).capi_address("c", "10.0.0.1").made(capi_made)
    };
    let stays = ["m: grant 10.0.0.1 by patch, status", "c: release 10.0.0.1 by patch, patch, delete"];
    assert_eq!(moves(&view(NOW - 90, NOW)), stays);
    assert_eq!(moves(&view(NOW, NOW)), stays, "then by kind");
    assert_eq!(
        twins(&decide(&view(NOW, NOW)))[0],
        ["Capi p-10-0-0-1"],
        "as long as the other is there, it is not told"
    );
    let gives_way = ["m: release 10.0.0.1 by patch, patch, delete", "c: grant 10.0.0.1 by patch, patch, status"];
    assert_eq!(moves(&view(NOW, NOW - 90)), gives_way);
    let plan = decide(&view(NOW, NOW - 90));
    let proof = plan.call.unwrap().chains[0].writes[0].target().clone();
    assert_eq!((proof.key.name.as_str(), proof.resource_version.as_deref()), ("m", Some("1")), "proved to be untold");
}

#[test]
fn an_object_of_a_claim_that_the_cache_does_not_know_is_left_alone() {
    let both = |view: PoolView| view.address("m", "10.0.0.1").made(NOW).capi_address("c", "10.0.0.1").made(NOW - 90);
    assert_eq!(moves(&both(pool().capi(capi_claim("c")))), ["c: release 10.0.0.1 by patch, patch, delete"]);
    let told = both(pool().capi(told(capi_claim("c"), "p-10-0-0-1")));
    assert_eq!(moves(&told), [""; 0], "it may be told, too");
}

#[test]
fn what_two_claims_were_told_is_taken_from_neither_and_shown() {
    let view = shared().claim(metal3("new"));
    let plan = decide(&view);
    assert_eq!(moves(&view), ["new: grant 10.0.0.2 by patch, create, status"]);
    let Next::Changed(why) = plan.next else { panic!("{:?}", plan.next) };
    assert_eq!(why.reason, GIVEN_TWICE);
    let text = "10.0.0.1 is given to IPClaim m (IPAddress p-10-0-0-1) and IPAddressClaim c (IPAddress p-10-0-0-1); \
                delete all of these claims but one";
    assert_eq!(why.message, text);
}

#[test]
fn an_address_made_by_hand_for_a_claim_is_not_given_while_another_has_it() {
    let base = || pool().claim(served(metal3("has"), "p-10-0-0-1")).address("has", "10.0.0.1").claim(metal3("wants"));
    let view = base().address("wants", "10.0.0.1").by_hand("mine", NOW - 90);
    let text = "wants: refuse IPAddress mine names an address that IPClaim has has; delete that object, or write a free \
                address there by status";
    assert_eq!(moves(&view), [text]);
}

#[test]
fn an_object_by_hand_that_came_first_keeps_its_address() {
    let view = pool().claim(held(metal3("old"))).claim(held(metal3("new")));
    let view = view.address("old", "10.0.0.1").by_hand("mine", NOW - 90).address("new", "10.0.0.1");
    let stays = ["old: grant 10.0.0.1 by status", "new: release 10.0.0.1 by patch, patch, delete"];
    assert_eq!(moves(&view), stays);
}

#[test]
fn a_second_object_of_a_claim_ends_and_the_one_that_it_was_told_stays() {
    let both = |told: &str| {
        let view = pool().claim(served(metal3("a"), told)).address("a", "10.0.0.1").by_hand("mine", NOW - 90);
        view.address("a", "10.0.0.1")
    };
    assert_eq!(moves(&both("mine")), ["a: release  by patch, patch, delete"], "ours");
    let mut ours = owned(both("p-10-0-0-1"));
    assert_eq!(moves(&ours), ["a: release  by patch, delete"], "that by hand");
    of_metal3(&mut ours.addresses[0].address).spec.address = "10.0.0.7".to_owned();
    assert_eq!(moves(&ours), [""; 0], "by hand, and another address: kept");
}

#[test]
fn what_a_claim_that_is_left_alone_was_told_goes_to_nobody_else() {
    let mut view = pool().claim(served(metal3("paused"), "p-10-0-0-1")).claim(metal3("new"));
    view.claims[0].hold_off = Some(HoldOff::Unconfirmed);
    view.unasked = 1;
    let plan = decide(&view);
    assert_eq!(deeds(&plan), ["new: grant 10.0.0.2 by patch, create, status"]);
    assert_eq!(reason(&plan), Some("Confirming"), "the rest is asked soon");
}
