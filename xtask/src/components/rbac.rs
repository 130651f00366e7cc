//! What each component may do. Nothing is granted that its controllers do not use.

use api::webhooks::Component;
use serde_json::{Value, json};

const ALL: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const READ: &[&str] = &["get", "list", "watch"];
const STATUS: &[&str] = &["get", "patch", "update"];

/// The right to name objects as owners that wait for what they own to be deleted first; clusters that keep tenants
/// apart demand it (OwnerReferencesPermissionEnforcement).
const BLOCK: &[&str] = &["update"];

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// Rights that every component needs: events, and the reviews that protect its metrics.
fn common() -> Vec<Value> {
    vec![
        rule("", &["events"], &["create", "patch"]),
        rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
        rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
    ]
}

/// Rules of the component's ClusterRole.
pub(super) fn rules(component: Component) -> Vec<Value> {
    let own = match component {
        Component::Infrastructure => infrastructure(),
        Component::Ipam => ipam(),
        Component::Bmo => bmo(),
    };
    [common(), own].concat()
}

/// Rules of the Role in the component's own namespace: the leader-election lease.
pub(super) fn lease() -> Vec<Value> {
    vec![rule("coordination.k8s.io", &["leases"], &["create", "get", "list", "patch", "update", "watch"])]
}

fn infrastructure() -> Vec<Value> {
    let kinds = [
        "metal3clusters",
        "metal3clustertemplates",
        "metal3machines",
        "metal3machinetemplates",
        "metal3datatemplates",
        "metal3datas",
        "metal3dataclaims",
        "metal3remediations",
        "metal3remediationtemplates",
    ];
    let status = kinds.map(|k| format!("{k}/status"));
    let status: Vec<&str> = status.iter().map(String::as_str).collect();
    vec![
        rule("", &["secrets"], ALL),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], READ),
        rule("cluster.x-k8s.io", &["clusters", "clusters/status", "machinesets", "machinedeployments"], READ),
        rule("cluster.x-k8s.io", &["machines", "machines/status"], ALL),
        // Control planes of any kind: whether their hosts are kept for the next machine.
        rule("controlplane.cluster.x-k8s.io", &["*"], &["get"]),
        rule("infrastructure.cluster.x-k8s.io", &kinds, ALL),
        rule("infrastructure.cluster.x-k8s.io", &status, STATUS),
        rule("infrastructure.cluster.x-k8s.io", &["metal3datas/finalizers"], BLOCK),
        rule("ipam.cluster.x-k8s.io", &["ipaddressclaims"], ALL),
        rule("ipam.cluster.x-k8s.io", &["ipaddresses"], READ),
        rule("ipam.metal3.io", &["ipclaims"], ALL),
        rule("ipam.metal3.io", &["ipaddresses", "ippools"], READ),
        rule("metal3.io", &["baremetalhosts", "hardwaredata"], ALL),
        rule("metal3.io", &["baremetalhosts/status"], STATUS),
    ]
}

fn ipam() -> Vec<Value> {
    vec![
        rule("cluster.x-k8s.io", &["clusters", "clusters/status"], READ),
        rule("ipam.metal3.io", &["ippools", "ipclaims", "ipaddresses"], ALL),
        rule("ipam.metal3.io", &["ippools/status", "ipclaims/status", "ipaddresses/status"], STATUS),
        rule("ipam.cluster.x-k8s.io", &["ipaddressclaims", "ipaddresses"], ALL),
        rule("ipam.cluster.x-k8s.io", &["ipaddressclaims/status", "ipaddresses/status"], STATUS),
        rule("ipam.metal3.io", &["ippools/finalizers", "ipclaims/finalizers"], BLOCK),
        rule("ipam.cluster.x-k8s.io", &["ipaddressclaims/finalizers"], BLOCK),
    ]
}

fn bmo() -> Vec<Value> {
    let kinds = [
        "baremetalhosts",
        "firmwareschemas",
        "hardwaredata",
        "hostfirmwarecomponents",
        "hostfirmwaresettings",
        "preprovisioningimages",
    ];
    let status = [
        "baremetalhosts/status",
        "hostfirmwarecomponents/status",
        "hostfirmwaresettings/status",
        "preprovisioningimages/status",
    ];
    vec![
        // "delete" is what the API server demands of whoever makes an object owned by another.
        rule("", &["secrets"], &["delete", "get", "list", "patch", "update", "watch"]),
        rule("ironic.metal3.io", &["ironics"], READ),
        rule("metal3.io", &kinds, ALL),
        rule("metal3.io", &status, STATUS),
        rule("metal3.io", &["baremetalhosts/finalizers"], BLOCK),
        rule("metal3.io", &["hostupdatepolicies"], READ),
    ]
}
