//! The object that holds what is known about a machine's hardware: HardwareData of the host's name.

use api::metal3::{BareMetalHost, HardwareData, HardwareDetails};
use api::names::finalizer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::pass::Write;
use kit::{diff, owners};

use crate::host::view::HostView;

/// Creates or updates the object; nothing when it says so already.
pub fn write(view: &HostView, details: &HardwareDetails) -> Option<Write> {
    match view.hardware_data.as_deref() {
        None => Some(diff::create(&new(&view.host, details))),
        Some(known) => {
            let mut wanted = known.clone();
            wanted.spec.hardware_details = Some(details.clone());
            adopt(&mut wanted, &view.host);
            diff::object(known, &wanted)
        }
    }
}

fn new(host: &BareMetalHost, details: &HardwareDetails) -> HardwareData {
    let mut data = HardwareData {
        metadata: ObjectMeta {
            name: host.metadata.name.clone(),
            namespace: host.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        ..HardwareData::default()
    };
    data.spec.hardware_details = Some(details.clone());
    adopt(&mut data, host);
    data
}

/// The host owns it, and it outlives everything but the host.
fn adopt(data: &mut HardwareData, host: &BareMetalHost) {
    owners::set_owner(&mut data.metadata, owners::owner_reference(host, true));
    let finalizers = data.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|name| name == finalizer::HOST_HARDWARE_DATA) {
        finalizers.push(finalizer::HOST_HARDWARE_DATA.to_owned());
    }
}
