//! Where user data, meta data and network data of a machine come from. Pure.
//!
//! User data is the Machine's bootstrap Secret. Meta data and network data are the user's own Secrets, or rendered:
//! the machine makes a Metal3DataClaim of its own name, the data controllers answer it.

use api::infra::v1beta2::{Metal3DataClaim, Metal3DataClaimSpec, ObjectRef};
use api::meta::SecretReference;
use api::names::finalizer;
use kit::pass::{Why, Write};
use kit::{diff, owners};
use kube::core::ObjectMeta;

use super::view::View;
use crate::data::claims::ANSWER;
use crate::data::indexes;

/// The Secrets that a host is given, and the object they were rendered from. All in the machine's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Name of the user data Secret.
    pub user: Option<String>,
    /// Name of the meta data Secret.
    pub meta: Option<String>,
    /// Name of the network data Secret.
    pub network: Option<String>,
    /// Name of the Metal3Data.
    pub rendered: Option<String>,
}

/// How far the data of a machine is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// All Secrets exist.
    Ready(Secrets),
    /// The claim is made.
    Claim(Write),
    /// The data controllers are at work, or a user must act.
    Wait(Why),
    /// A reference points into another namespace.
    Refused(Why),
}

/// The next step of a machine towards its data.
pub fn step(view: &View) -> Data {
    let mut secrets = match own(view) {
        Ok(secrets) => secrets,
        Err(why) => return Data::Refused(why),
    };
    let Some(template) = &view.machine.spec.data_template else { return Data::Ready(secrets) };
    let Some(template_name) = template.name() else { return Data::Ready(secrets) };
    if !template.within(view.namespace()) {
        let text =
            format!("dataTemplate {template_name} is in another namespace; only {} can be used", view.namespace());
        return Data::Refused(Why::new("ForeignReference", text));
    }
    let Some(claim) = &view.claim else { return Data::Claim(diff::create(&claim(view, template_name))) };
    if let Some(other) = holder(view) {
        let text = format!(
            "the Metal3DataClaim of this machine's name belongs to Metal3Machine {other}; delete it, if nobody needs it"
        );
        return Data::Wait(Why::new("WaitingForMetal3Data", text));
    }
    if owners::deleting(&claim.metadata) {
        if owners::has_finalizer(&**claim, finalizer::METAL3_MACHINE) {
            // It is made anew; while the machine held it, its index could not be taken back.
            return Data::Claim(owners::remove_finalizer(&**claim, finalizer::METAL3_MACHINE));
        }
        let text = "the Metal3DataClaim of this name is still being deleted; the machine makes a new one then";
        return Data::Wait(Why::new("WaitingForMetal3Data", text));
    }
    let answer = view.data.as_ref().filter(|data| indexes::answers(data, claim));
    let Some(data) = answer else { return Data::Wait(unanswered(view, claim, template_name)) };
    let status = data.status.clone().unwrap_or_default();
    let name = data.metadata.name.clone().unwrap_or_default();
    if owners::deleting(&data.metadata) {
        let text = format!("Metal3Data {name} is being deleted; to start over, delete Metal3DataClaim {}", view.name());
        return Data::Wait(Why::new("WaitingForMetal3Data", text));
    }
    if status.ready != Some(true) {
        let text = format!("Metal3Data {name} is not rendered yet");
        return Data::Wait(match status.error_message {
            Some(cause) => Why::new("WaitingForMetal3Data", format!("{text}: {cause}")),
            None => Why::new("WaitingForMetal3Data", text).normal(ANSWER),
        });
    }
    secrets.meta = secrets.meta.or_else(|| data.spec.meta_data.as_ref().and_then(|secret| secret.name.clone()));
    secrets.network =
        secrets.network.or_else(|| data.spec.network_data.as_ref().and_then(|secret| secret.name.clone()));
    secrets.rendered = Some(name);
    Data::Ready(secrets)
}

/// The Secrets that need no rendering.
pub fn own(view: &View) -> Result<Secrets, Why> {
    let spec = &view.machine.spec;
    let status = view.machine.status.clone().unwrap_or_default();
    let bootstrap = view.owner.as_ref().and_then(|owner| owner.bootstrap_secret()).map(str::to_owned);
    let given = |field: &'static str, reference: Option<&SecretReference>| secret_name(view, field, reference);
    let user = given("status.userData", status.user_data.as_ref())?;
    Ok(Secrets {
        user: match user.or(bootstrap) {
            Some(name) => Some(name),
            None => given("spec.userData", spec.user_data.as_ref())?,
        },
        meta: given("spec.metaData", spec.meta_data.as_ref())?,
        network: given("spec.networkData", spec.network_data.as_ref())?,
        rendered: None,
    })
}

fn secret_name(view: &View, field: &str, reference: Option<&SecretReference>) -> Result<Option<String>, Why> {
    let Some(reference) = reference else { return Ok(None) };
    match reference.name_in(view.namespace()) {
        Ok(name) => Ok(name.map(str::to_owned)),
        Err(error) => Err(Why::new("ForeignReference", format!("{field} {error}"))),
    }
}

/// Why a claim has no answer yet.
fn unanswered(view: &View, claim: &Metal3DataClaim, template: &str) -> Why {
    let status = claim.status.clone().unwrap_or_default();
    let why = |text| Why::new("WaitingForMetal3Data", text);
    match (status.error_message, status.rendered_data.and_then(|data| data.name)) {
        (Some(error), _) => why(format!("machine {} has no index yet: {error}", view.name())),
        (None, Some(data)) => why(format!("waiting for Metal3Data {data}")).normal(ANSWER),
        (None, None) => {
            let text = format!("waiting for Metal3DataTemplate {template} to give machine {} an index", view.name());
            why(text).normal(ANSWER)
        }
    }
}

/// The machine's claim. Its name is the machine's, so making it twice makes it once.
fn claim(view: &View, template: &str) -> Metal3DataClaim {
    let mut owner = owners::owner_reference(&*view.machine, true);
    owner.block_owner_deletion = None;
    Metal3DataClaim {
        metadata: ObjectMeta {
            name: view.machine.metadata.name.clone(),
            namespace: view.machine.metadata.namespace.clone(),
            labels: view.machine.metadata.labels.clone(),
            finalizers: Some(vec![finalizer::METAL3_MACHINE.to_owned()]),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Metal3DataClaimSpec { template: Some(ObjectRef::new(view.namespace(), template)) },
        status: None,
    }
}

/// The other machine that the claim of this machine's name belongs to, if it does.
fn holder(view: &View) -> Option<&str> {
    let owner = owners::owner_of_kind(&view.claim.as_ref()?.metadata, api::infra::GROUP, "Metal3Machine")?;
    Some(owner.name.as_str()).filter(|name| *name != view.name())
}

/// The machine's claim, if there is one.
pub fn held(view: &View) -> Option<&Metal3DataClaim> {
    view.claim.as_deref().filter(|_| holder(view).is_none())
}

/// The next write that lets go of the machine's claim; `None` when nothing is left to do.
pub fn release(view: &View) -> Option<Write> {
    let claim = held(view)?;
    if !owners::deleting(&claim.metadata) {
        return Some(diff::delete(claim));
    }
    owners::has_finalizer(claim, finalizer::METAL3_MACHINE)
        .then(|| owners::remove_finalizer(claim, finalizer::METAL3_MACHINE))
}
