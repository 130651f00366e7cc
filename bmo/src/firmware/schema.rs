//! The FirmwareSchema of a set of BIOS settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::metal3::firmware_schema::PASSWORD;
use api::metal3::{
    AttributeType, BareMetalHost, FirmwareSchema, FirmwareSchemaSpec, HostFirmwareSettings, SettingSchema,
};
use ironic::BiosSetting;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::pass::Write;
use kit::{diff, owners};
use sha2::{Digest as _, Sha256};

/// Limits by the name of the setting, as Ironic reports them.
pub fn limits(bios: &[BiosSetting]) -> BTreeMap<String, SettingSchema> {
    let one = |setting: &BiosSetting| SettingSchema {
        attribute_type: setting.attribute_type.as_deref().filter(|t| !t.is_empty()).map(AttributeType::from),
        allowable_values: setting.allowable_values.clone().unwrap_or_default(),
        lower_bound: setting.lower_bound,
        upper_bound: setting.upper_bound,
        min_length: setting.min_length,
        max_length: setting.max_length,
        read_only: setting.read_only,
        unique: setting.unique,
    };
    bios.iter().map(|setting| (setting.name.clone(), one(setting))).collect()
}

/// The object's name. Machines with the same limits share one, also with objects that the Go operator made: so the
/// name is the start of the hash over all words of the limits, sorted, in the form in which Go prints a list.
pub fn name(limits: &BTreeMap<String, SettingSchema>) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, limit) in limits {
        words.push(name.clone());
        words.push(limit.attribute_type.as_ref().map(|t| t.as_str().to_owned()).unwrap_or_default());
        words.extend(limit.allowable_values.iter().cloned());
        let numbers = [limit.lower_bound, limit.upper_bound, limit.min_length, limit.max_length];
        words.extend(numbers.into_iter().flatten().map(|n| n.to_string()));
        words.extend(limit.read_only.map(|flag| flag.to_string()));
    }
    words.sort();
    let hash = Sha256::digest(format!("[{}]", words.join(" ")));
    let start = hash.iter().take(4).fold(0_u32, |start, byte| start << 8 | u32::from(*byte));
    format!("schema-{start:08x}")
}

/// Makes the object, or makes settings its owners: it goes with the last of them. `others` refer to it, too: all of them
/// become owners in one write, because a fleet of one model would otherwise write one large object once for each host.
pub fn write(
    known: Option<&FirmwareSchema>,
    object: &HostFirmwareSettings,
    others: &[Arc<HostFirmwareSettings>],
    host: &BareMetalHost,
    limits: &BTreeMap<String, SettingSchema>,
) -> Option<Write> {
    let Some(known) = known else { return Some(diff::create(&new(object, host, limits))) };
    if is_owned(known, object) {
        return None;
    }
    let mut wanted = known.clone();
    for settings in std::iter::once(object).chain(others.iter().map(Arc::as_ref)) {
        owners::set_owner(&mut wanted.metadata, owners::owner_reference(settings, false));
    }
    diff::object_exact(known, &wanted)
}

/// Whether the schema goes with these settings.
pub fn is_owned(known: &FirmwareSchema, object: &HostFirmwareSettings) -> bool {
    owners::owned_by(&known.metadata, object.metadata.uid.as_deref().unwrap_or_default())
}

/// Whether settings name this schema as theirs.
pub fn refers(object: &HostFirmwareSettings, name: &str) -> bool {
    let schema = object.status.as_ref().and_then(|status| status.firmware_schema.as_ref());
    schema.is_some_and(|schema| schema.name == name)
}

fn new(
    object: &HostFirmwareSettings,
    host: &BareMetalHost,
    limits: &BTreeMap<String, SettingSchema>,
) -> FirmwareSchema {
    let vendor = host.status.as_ref().and_then(|s| s.hardware.as_ref()).map(|h| h.system_vendor.clone());
    let vendor = vendor.unwrap_or_default();
    let shown = |(name, limit): &(&String, &SettingSchema)| {
        !name.contains(PASSWORD) && limit.attribute_type != Some(AttributeType::Password)
    };
    FirmwareSchema {
        metadata: ObjectMeta {
            name: Some(name(limits)),
            namespace: object.metadata.namespace.clone(),
            owner_references: Some(vec![owners::owner_reference(object, false)]),
            ..ObjectMeta::default()
        },
        spec: FirmwareSchemaSpec {
            hardware_vendor: vendor.manufacturer,
            hardware_model: vendor.product_name,
            schema: limits.iter().filter(shown).map(|(name, limit)| (name.clone(), limit.clone())).collect(),
        },
    }
}
