//! The CRDs of the group: both versions of each kind, with what Cluster API and clusterctl look for.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use schemars::JsonSchema;

use super::{v1beta1, v1beta2};
use crate::names::{annotation, label};
use crate::schema::{self, Install};

/// The nine CRDs, v1beta2 stored.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let both = [
        both::<v1beta1::Metal3Cluster, v1beta2::Metal3Cluster>(),
        both::<v1beta1::Metal3ClusterTemplate, v1beta2::Metal3ClusterTemplate>()
            .map(|crd| crd.spec_required("v1beta2")),
        both::<v1beta1::Metal3Machine, v1beta2::Metal3Machine>(),
        both::<v1beta1::Metal3MachineTemplate, v1beta2::Metal3MachineTemplate>()
            .map(|crd| crd.spec_required("v1beta2")),
        both::<v1beta1::Metal3DataTemplate, v1beta2::Metal3DataTemplate>()
            .map(|crd| crd.labelled(label::CLUSTERCTL_MOVE, "")),
        both::<v1beta1::Metal3Data, v1beta2::Metal3Data>()
            .map(|crd| crd.annotated(annotation::CLUSTERCTL_SKIP_CRD_NAME_CHECK, "")),
        both::<v1beta1::Metal3DataClaim, v1beta2::Metal3DataClaim>(),
        both::<v1beta1::Metal3Remediation, v1beta2::Metal3Remediation>(),
        // Nothing owns a template that a MachineHealthCheck names: it would stay behind.
        both::<v1beta1::Metal3RemediationTemplate, v1beta2::Metal3RemediationTemplate>()
            .map(|crd| crd.labelled(label::CLUSTERCTL_MOVE, "")),
    ];
    both.into_iter().flatten().collect()
}

fn both<Old, New>() -> Option<CustomResourceDefinition>
where
    Old: CustomResourceExt + JsonSchema,
    New: CustomResourceExt + JsonSchema,
{
    let mut crd = schema::merged(vec![schema::crd::<Old>(), schema::crd::<New>()], "v1beta2")?
        .provider(label::PROVIDER_INFRASTRUCTURE, "v1beta1", "v1beta2")
        .converted_by("capm3-system", "capm3-webhook-service", "capm3-serving-cert");
    for version in &mut crd.spec.versions {
        let root = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let spec = root.and_then(|root| root.properties.as_mut()?.get_mut("spec"));
        // A missing spec is legal in the published API. Every reader finds an empty one instead.
        if let Some(spec) = spec.filter(|spec| spec.required.is_none()) {
            spec.default = Some(JSON(serde_json::json!({})));
        }
    }
    Some(crd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_both_versions_and_what_clusterctl_looks_for() {
        let crds = crds();
        assert_eq!(crds.len(), 9);
        for crd in crds {
            let names: Vec<_> = crd.spec.versions.iter().map(|v| (v.name.as_str(), v.storage, v.served)).collect();
            assert_eq!(names, [("v1beta1", false, true), ("v1beta2", true, true)], "{:?}", crd.metadata.name);
            let labels = crd.metadata.labels.unwrap_or_default();
            assert_eq!(labels.get("cluster.x-k8s.io/v1beta2").map(String::as_str), Some("v1beta2"));
            assert_eq!(labels.get("cluster.x-k8s.io/v1beta1").map(String::as_str), Some("v1beta1"));
            assert_eq!(
                labels.contains_key("clusterctl.cluster.x-k8s.io/move"),
                ["Metal3DataTemplate", "Metal3RemediationTemplate"].contains(&crd.spec.names.kind.as_str())
            );
        }
    }
}
