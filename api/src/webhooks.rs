//! The admission webhooks on the wire: names, paths and rules, one table for the manifests and the server.
//!
//! Names and paths are those that existing installations have registered, so that an upgrade in place replaces the
//! server without touching the configuration objects.

use crate::names::annotation;

/// Which component serves a webhook or owns a CRD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The Cluster API infrastructure provider.
    Infrastructure,
    /// The IP address manager.
    Ipam,
    /// The bare metal operator.
    Bmo,
}

/// What a webhook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Refuses invalid objects.
    Validate,
    /// Fills in defaults.
    Mutate,
}

/// One admission webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Webhook {
    /// Who serves it.
    pub component: Component,
    /// Validating or mutating.
    pub action: Action,
    /// API group.
    pub group: &'static str,
    /// Version the server receives; other served versions arrive converted (match policy Equivalent).
    pub version: &'static str,
    /// Singular kind in lower case.
    pub kind: &'static str,
    /// Plural, as in the rule.
    pub plural: &'static str,
}

impl Webhook {
    /// The URL path, e.g. `/validate-metal3-io-v1alpha1-baremetalhost`.
    pub fn path(&self) -> String {
        let action = match self.action {
            Action::Validate => "validate",
            Action::Mutate => "mutate",
        };
        format!("/{action}-{}-{}-{}", self.group.replace('.', "-"), self.version, self.kind)
    }

    /// The webhook's name inside its configuration object.
    pub fn name(&self) -> String {
        match (self.component, self.action) {
            (Component::Bmo, _) => format!("{}.{}", self.kind, self.group),
            (Component::Infrastructure | Component::Ipam, Action::Validate) => {
                format!("validation.{}.{}", self.kind, self.group)
            }
            (Component::Infrastructure | Component::Ipam, Action::Mutate) => {
                format!("default.{}.{}", self.kind, self.group)
            }
        }
    }
}

/// A condition under which the API server calls a webhook at all; all of a webhook's must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its name inside the webhook.
    pub name: &'static str,
    /// Common Expression Language over `object`, `oldObject` and `request`. One that fails refuses the request.
    pub expression: String,
}

impl Webhook {
    /// When it is called. A call costs more than the write that it is about, so what the rules of the address manager
    /// (`ipam::validate`) have nothing to say about is not shown to them: a finalizer that comes or goes, and new
    /// objects that are plainly right. Whoever adds a rule there looks here, too.
    pub fn conditions(&self) -> Vec<Condition> {
        if self.component != Component::Ipam {
            return Vec::new();
        }
        let wish = format!("?metadata.?annotations[?'{}']", annotation::IP_ADDRESS);
        let spec = "object.?spec != oldObject.?spec";
        let (changed, doubtful) = match self.kind {
            "ipclaim" => (
                format!("{spec} || object.{wish} != oldObject.{wish}"),
                format!(
                    "object.?spec.?pool.?name.orValue('') == '' || object.{wish}.hasValue() || \
                     object.?spec.?pool.?namespace.orValue(request.namespace) != request.namespace"
                ),
            ),
            "ipaddress" => (
                spec.to_owned(),
                format!(
                    "object.?spec.?pool.?name.orValue('') == '' || object.?spec.?claim.?name.orValue('') == '' || \
                     !isIP(object.?spec.?address.orValue('')) || object.{wish}.hasValue()"
                ),
            ),
            _ => (spec.to_owned(), "true".to_owned()),
        };
        let on = |operation: &str, expression: String| format!("request.operation != '{operation}' || {expression}");
        let mut conditions = vec![Condition { name: "changed", expression: on("UPDATE", changed) }];
        if doubtful != "true" {
            conditions.push(Condition { name: "doubtful", expression: on("CREATE", doubtful) });
        }
        conditions
    }
}

const INFRA: (&str, &str) = ("infrastructure.cluster.x-k8s.io", "v1beta2");
const IPAM: (&str, &str) = ("ipam.metal3.io", "v1alpha1");
const BMO: (&str, &str) = ("metal3.io", "v1alpha1");

/// Every admission webhook, in the order of the manifests.
pub fn all() -> Vec<Webhook> {
    let of =
        |component, action, (group, version): (&'static str, &'static str), names: &[(&'static str, &'static str)]| {
            names
                .iter()
                .map(|&(kind, plural)| Webhook { component, action, group, version, kind, plural })
                .collect::<Vec<_>>()
        };
    let infra = [
        ("metal3cluster", "metal3clusters"),
        ("metal3clustertemplate", "metal3clustertemplates"),
        ("metal3data", "metal3datas"),
        ("metal3dataclaim", "metal3dataclaims"),
        ("metal3datatemplate", "metal3datatemplates"),
        ("metal3machine", "metal3machines"),
        ("metal3machinetemplate", "metal3machinetemplates"),
        ("metal3remediation", "metal3remediations"),
        ("metal3remediationtemplate", "metal3remediationtemplates"),
    ];
    let infra_defaults =
        [("metal3cluster", "metal3clusters"), ("metal3remediationtemplate", "metal3remediationtemplates")];
    let ipam = [("ippool", "ippools"), ("ipclaim", "ipclaims"), ("ipaddress", "ipaddresses")];
    let bmo = [
        ("baremetalhost", "baremetalhosts"),
        ("bmceventsubscription", "bmceventsubscriptions"),
        ("dataimage", "dataimages"),
        ("hostclaim", "hostclaims"),
        ("hostfirmwarecomponents", "hostfirmwarecomponents"),
        ("hostnetworkattachment", "hostnetworkattachments"),
    ];
    [
        of(Component::Infrastructure, Action::Validate, INFRA, &infra),
        of(Component::Infrastructure, Action::Mutate, INFRA, &infra_defaults),
        of(Component::Ipam, Action::Validate, IPAM, &ipam),
        of(Component::Ipam, Action::Mutate, IPAM, &ipam[..1]),
        of(Component::Bmo, Action::Validate, BMO, &bmo),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_those_on_the_wire() {
        let find = |kind: &str, action| all().into_iter().find(|w| w.kind == kind && w.action == action);
        let host = find("baremetalhost", Action::Validate).unwrap();
        assert_eq!(host.path(), "/validate-metal3-io-v1alpha1-baremetalhost");
        assert_eq!(host.name(), "baremetalhost.metal3.io");
        let cluster = find("metal3cluster", Action::Mutate).unwrap();
        assert_eq!(cluster.path(), "/mutate-infrastructure-cluster-x-k8s-io-v1beta2-metal3cluster");
        assert_eq!(cluster.name(), "default.metal3cluster.infrastructure.cluster.x-k8s.io");
        let pool = find("ippool", Action::Validate).unwrap();
        assert_eq!(pool.name(), "validation.ippool.ipam.metal3.io");
    }
}
