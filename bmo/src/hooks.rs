//! Admission webhooks of the bare metal operator: which rule of `api` answers which path.

use api::metal3::validate::{self, host_warnings};
use api::metal3::{
    BMCEventSubscription, BareMetalHost, DataImage, HostClaim, HostFirmwareComponents, HostNetworkAttachment,
};
use api::webhooks::{self, Component};
use kit::webhook::{Hooks, Rules, Verdict};

/// All webhooks of the operator.
pub fn hooks() -> Hooks {
    webhooks::all().into_iter().filter(|webhook| webhook.component == Component::Bmo).fold(
        Hooks::new(),
        |hooks, webhook| {
            let path = webhook.path();
            match webhook.kind {
                "baremetalhost" => hooks.validate::<BareMetalHost>(&path, HOST),
                "bmceventsubscription" => hooks.validate::<BMCEventSubscription>(&path, SUBSCRIPTION),
                "dataimage" => hooks.validate::<DataImage>(&path, DATA_IMAGE),
                "hostclaim" => hooks.validate::<HostClaim>(&path, CLAIM),
                "hostfirmwarecomponents" => hooks.validate::<HostFirmwareComponents>(&path, COMPONENTS),
                "hostnetworkattachment" => hooks.validate::<HostNetworkAttachment>(&path, ATTACHMENT),
                _ => hooks,
            }
        },
    )
}

const HOST: Rules<BareMetalHost> = Rules {
    create: |new| Verdict { warnings: host_warnings(new), ..validate::host(new).into() },
    update: |old, new| Verdict { warnings: host_warnings(new), ..validate::host_update(old, new).into() },
};

const SUBSCRIPTION: Rules<BMCEventSubscription> = Rules {
    create: |new| validate::event_subscription(new).into(),
    update: |old, new| validate::event_subscription_update(old, new).into(),
};

const DATA_IMAGE: Rules<DataImage> = Rules {
    create: |new| validate::data_image(new).into(),
    update: |old, new| validate::data_image_update(old, new).into(),
};

const CLAIM: Rules<HostClaim> = Rules {
    create: |new| validate::host_claim(new).into(),
    update: |old, new| validate::host_claim_update(old, new).into(),
};

const COMPONENTS: Rules<HostFirmwareComponents> = Rules {
    create: |new| validate::firmware_components(new).into(),
    update: |old, new| validate::firmware_components_update(old, new).into(),
};

/// A webhook sees one object, so it cannot know which hosts refer to it; nothing reads attachments yet.
const ATTACHMENT: Rules<HostNetworkAttachment> = Rules {
    create: |new| validate::network_attachment(new).into(),
    update: |old, new| validate::network_attachment_update(old, new, &[]).into(),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A webhook that the manifests register and nobody answers would refuse every write of its kind.
    #[test]
    fn every_registered_path_is_answered() {
        let answered = format!("{:?}", hooks());
        for webhook in webhooks::all().into_iter().filter(|webhook| webhook.component == Component::Bmo) {
            assert!(answered.contains(&format!("{:?}", webhook.path())), "{} in {answered}", webhook.path());
        }
    }
}
