//! Patterns of addresses in CRDs, put together from readable parts.
//!
//! The API server judges by these before any webhook sees the object; they are the published ones to the letter.

use schemars::{Schema, SchemaGenerator, json_schema};

/// 0 to 255 without leading zeros.
const OCTET: &str = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
/// Up to four hexadecimal digits.
const GROUP: &str = "[0-9a-fA-F]{1,4}";

fn ipv4() -> String {
    format!(r"(({OCTET}\.){{3}}{OCTET})")
}

/// Full form first, then `::` after one to seven groups, before one to seven groups, and alone.
fn ipv6() -> String {
    let mut forms = vec![format!("({GROUP}:){{7,7}}{GROUP}"), format!("({GROUP}:){{1,7}}:")];
    forms.push(format!("({GROUP}:){{1,6}}:{GROUP}"));
    for after in 2..=5 {
        forms.push(format!("({GROUP}:){{1,{}}}(:{GROUP}){{1,{after}}}", 7 - after));
    }
    forms.push(format!("{GROUP}:((:{GROUP}){{1,6}})"));
    forms.push(format!(":((:{GROUP}){{1,7}}|:)"));
    forms.join("|")
}

/// Pattern of an IPv4 or IPv6 address.
pub fn address() -> String {
    format!("((^{}$)|(^({})$))", ipv4(), ipv6())
}

/// Pattern of an address with a prefix length. Bits behind the prefix may be set.
pub fn subnet() -> String {
    let four = "([0-9]|[1-2][0-9]|3[0-2])";
    let six = "([0-9]|[0-9][0-9]|1[0-1][0-9]|12[0-8])";
    format!("((^{}/{four}$)|(^({})/{six}$))", ipv4(), ipv6())
}

/// Schema of an address.
pub fn address_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": address() })
}

/// Schema of an address with a prefix length.
pub fn subnet_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": subnet() })
}

/// Schema of a list of addresses.
pub fn address_list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "pattern": address() } })
}

/// Schema of a map of claim names to addresses.
pub fn address_map_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "string", "pattern": address() } })
}
