//! Turns release manifests into what a manager running as a local process needs.
//!
//! In a cluster the API server calls webhooks through a Service and cert-manager supplies the trust. Here each
//! `clientConfig` gets the URL of the process and our authority instead, for admission and for conversion alike.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// Keeps namespaces, definitions and webhook configurations, and points every webhook at `https://<address>`.
/// `ca_bundle` is base64 of PEM, as in the API.
pub fn localize(objects: Vec<Value>, address: SocketAddr, ca_bundle: &str) -> Vec<Value> {
    objects.into_iter().filter_map(|object| one(object, address, ca_bundle)).collect()
}

fn one(mut object: Value, address: SocketAddr, ca_bundle: &str) -> Option<Value> {
    match object["kind"].as_str()? {
        "Namespace" => {}
        "CustomResourceDefinition" => {
            let conversion = &mut object["spec"]["conversion"];
            if conversion["strategy"] == "Webhook" {
                redirect(&mut conversion["webhook"]["clientConfig"], address, ca_bundle);
            } else if conversion.is_null()
                && let Some(spec) = object["spec"].as_object_mut()
            {
                // Asking for a field of a value makes it appear as null, which the API server would refuse.
                spec.remove("conversion");
            }
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            for webhook in object["webhooks"].as_array_mut()? {
                redirect(&mut webhook["clientConfig"], address, ca_bundle);
            }
        }
        _ => return None,
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|name, _| !name.starts_with("cert-manager.io/"));
    } else if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("annotations");
    }
    Some(object)
}

fn redirect(client: &mut Value, address: SocketAddr, ca_bundle: &str) {
    let path = client["service"]["path"].as_str().unwrap_or("/convert").to_owned();
    *client = json!({"url": format!("https://{address}{path}"), "caBundle": ca_bundle});
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::parse;

    const RELEASE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: manager}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: two.example, annotations: {cert-manager.io/inject-ca-from: a/b, other: kept}}
spec:
  conversion: {strategy: Webhook, webhook: {clientConfig: {service: {name: s, namespace: n, path: /convert}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: one.example}
spec: {group: example}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: checks}
webhooks:
- {name: a.example, clientConfig: {caBundle: Cg==, service: {name: s, namespace: n, path: /check-a}}}
";

    #[test]
    fn every_webhook_points_at_the_process_and_nothing_else_is_kept() {
        let address: SocketAddr = "172.22.0.1:9443".parse().unwrap();
        let objects = localize(parse(RELEASE).unwrap(), address, "Q0E=");
        let names: Vec<_> = objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["two.example", "one.example", "checks"]);
        let conversion = json!({"url": "https://172.22.0.1:9443/convert", "caBundle": "Q0E="});
        assert_eq!(objects[0]["spec"]["conversion"]["webhook"]["clientConfig"], conversion);
        assert_eq!(objects[0]["metadata"]["annotations"], json!({"other": "kept"}));
        assert_eq!(objects[1]["spec"], json!({"group": "example"}));
        assert_eq!(objects[1]["metadata"], json!({"name": "one.example"}));
        let check = json!({"url": "https://172.22.0.1:9443/check-a", "caBundle": "Q0E="});
        assert_eq!(objects[2]["webhooks"][0]["clientConfig"], check);
    }
}
