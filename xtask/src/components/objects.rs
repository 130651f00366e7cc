//! The Kubernetes objects of one component, in the order of installation.

use std::collections::BTreeMap;

use api::webhooks::{Action, Component, Condition, Webhook};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use super::provider::Provider;
use super::rbac;

/// clusterctl refuses a name without a registry. This one is nobody's: it is found only where the image was loaded, and
/// the variable names another.
const IMAGE: &str = concat!("${METAL3_IMAGE:=localhost/metal3:v", env!("CARGO_PKG_VERSION"), "}");

pub(super) fn of(provider: &Provider, crds: &[CustomResourceDefinition]) -> anyhow::Result<Vec<Value>> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": provider.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })];
    for crd in crds.iter().filter(|crd| crd.spec.group == provider.group) {
        objects.push(installed(provider, crd)?);
    }
    objects.extend(access(provider));
    objects.extend([service(provider), deployment(provider)]);
    objects.extend(certificate(provider));
    objects.extend(admission(provider));
    if let Some(label) = provider.label {
        for object in &mut objects {
            object["metadata"]["labels"]["cluster.x-k8s.io/provider"] = json!(label);
        }
    }
    Ok(objects)
}

/// A CRD as installed: its conversion points at our service and cert-manager fills in the CA.
fn installed(provider: &Provider, crd: &CustomResourceDefinition) -> anyhow::Result<Value> {
    let mut crd = serde_json::to_value(crd)?;
    let metadata = &mut crd["metadata"];
    metadata["annotations"]["cert-manager.io/inject-ca-from"] = json!(provider.certificate());
    let versions = crd["spec"]["versions"].as_array().map_or(0, Vec::len);
    if versions > 1 {
        crd["spec"]["conversion"] = json!({
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1", "v1beta1"],
                "clientConfig": {"service": {
                    "name": provider.webhook_service, "namespace": provider.namespace, "path": "/convert",
                }},
            },
        });
    } else if let Some(spec) = crd["spec"].as_object_mut() {
        spec.remove("conversion");
    }
    if let Some(object) = crd.as_object_mut() {
        object.remove("status");
    }
    Ok(crd)
}

fn access(provider: &Provider) -> Vec<Value> {
    let subject = json!([{
        "kind": "ServiceAccount", "name": provider.service_account, "namespace": provider.namespace,
    }]);
    let binding = |kind: &str, role: &str, name: String| {
        let mut binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"),
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": subject,
        });
        if kind == "Role" {
            binding["metadata"]["namespace"] = json!(provider.namespace);
        }
        binding
    };
    let (manager, lease) = (provider.name("manager-role"), provider.name("leader-election-role"));
    let mut objects = vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": provider.service_account, "namespace": provider.namespace},
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": manager}, "rules": rbac::rules(provider.component),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": lease, "namespace": provider.namespace}, "rules": rbac::lease(),
        }),
        binding("ClusterRole", &manager, provider.name("manager-rolebinding")),
        binding("Role", &lease, provider.name("leader-election-rolebinding")),
    ];
    if provider.component == Component::Infrastructure {
        // Cluster API's managers aggregate this role: it lets them read and own our kinds.
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {
                "name": provider.name("aggregated-manager-role"),
                "labels": {"cluster.x-k8s.io/aggregate-to-manager": "true"},
            },
            "rules": [{
                "apiGroups": ["infrastructure.cluster.x-k8s.io"], "resources": ["*"],
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            }],
        }));
    }
    objects
}

fn selector(provider: &Provider) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([("control-plane", "controller-manager".to_owned())]);
    match provider.label {
        Some(label) => {
            labels.insert("controller-tools.k8s.io", "1.0".to_owned());
            labels.insert("cluster.x-k8s.io/provider", label.to_owned());
        }
        None => {
            labels.insert("webhook", "metal3-io-v1alpha1-baremetalhost".to_owned());
        }
    }
    labels
}

fn service(provider: &Provider) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": provider.webhook_service, "namespace": provider.namespace},
        "spec": {"ports": [{"port": 443, "targetPort": "webhook-server"}], "selector": selector(provider)},
    })
}

fn deployment(provider: &Provider) -> Value {
    let mut args = vec![provider.subcommand.to_owned(), "--leader-elect".to_owned(), "--webhook-port=9443".to_owned()];
    args.extend(provider.args.iter().map(|&arg| arg.to_owned()));
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "healthz"}});
    let mut container = json!({
        "name": "manager", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "args": args,
        "env": [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("POD_UID", "metadata.uid"),
        ],
        "ports": [
            {"name": "webhook-server", "containerPort": 9443, "protocol": "TCP"},
            {"name": "healthz", "containerPort": 9440, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 8443, "protocol": "TCP"},
        ],
        "livenessProbe": probe("/healthz"),
        "readinessProbe": probe("/readyz"),
        "securityContext": {
            "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
            "runAsUser": 65532, "runAsGroup": 65532, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts(provider),
    });
    if let Some(name) = provider.env_from {
        container["envFrom"] = json!([{"configMapRef": {"name": name, "optional": true}}]);
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": provider.name("controller-manager"), "namespace": provider.namespace, "labels": selector(provider),
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector(provider)},
            "template": {
                "metadata": {"labels": selector(provider)},
                "spec": {
                    "serviceAccountName": provider.service_account,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "tolerations": [
                        {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
                        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
                    ],
                    "containers": [container],
                    "volumes": volumes(provider),
                },
            },
        },
    })
}

fn mounts(provider: &Provider) -> Vec<Value> {
    let mount = |name: &str, folder: &str| json!({"name": name, "mountPath": folder, "readOnly": true});
    let mut mounts = vec![mount("cert", "/tmp/k8s-webhook-server/serving-certs")];
    mounts.extend(provider.secrets.iter().map(|secret| mount(secret.volume, secret.folder)));
    mounts
}

fn volumes(provider: &Provider) -> Vec<Value> {
    let mut volumes = vec![json!({"name": "cert", "secret": {"secretName": provider.webhook_secret}})];
    volumes.extend(provider.secrets.iter().map(|mount| {
        let items: Vec<Value> = mount.files.iter().map(|(key, path)| json!({"key": key, "path": path})).collect();
        json!({"name": mount.volume, "secret": {"secretName": mount.secret, "optional": true, "items": items}})
    }));
    volumes
}

fn certificate(provider: &Provider) -> [Value; 2] {
    let host = format!("{}.{}.svc", provider.webhook_service, provider.namespace);
    let issuer = provider.name("selfsigned-issuer");
    [
        json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Issuer",
            "metadata": {"name": issuer, "namespace": provider.namespace}, "spec": {"selfSigned": {}},
        }),
        json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": provider.name("serving-cert"), "namespace": provider.namespace},
            "spec": {
                "dnsNames": [host, format!("{host}.cluster.local")],
                "issuerRef": {"kind": "Issuer", "name": issuer},
                "secretName": provider.webhook_secret,
            },
        }),
    ]
}

fn admission(provider: &Provider) -> Vec<Value> {
    [(Action::Mutate, "Mutating"), (Action::Validate, "Validating")]
        .into_iter()
        .filter_map(|(action, word)| {
            let webhooks: Vec<Value> = api::webhooks::all()
                .iter()
                .filter(|w| w.component == provider.component && w.action == action)
                .map(|w| webhook(provider, w))
                .collect();
            (!webhooks.is_empty()).then(|| {
                json!({
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": format!("{word}WebhookConfiguration"),
                    "metadata": {
                        "name": provider.name(&format!("{}-webhook-configuration", word.to_lowercase())),
                        "annotations": {"cert-manager.io/inject-ca-from": provider.certificate()},
                    },
                    "webhooks": webhooks,
                })
            })
        })
        .collect()
}

fn webhook(provider: &Provider, webhook: &Webhook) -> Value {
    let mut object = json!({
        "name": webhook.name(),
        "admissionReviewVersions": ["v1", "v1beta1"],
        "clientConfig": {"service": {
            "name": provider.webhook_service, "namespace": provider.namespace, "path": webhook.path(),
        }},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "rules": [{
            "apiGroups": [webhook.group], "apiVersions": [webhook.version],
            "operations": ["CREATE", "UPDATE"], "resources": [webhook.plural],
        }],
    });
    let conditions = webhook.conditions();
    if !conditions.is_empty() {
        let one = |condition: Condition| json!({"name": condition.name, "expression": condition.expression});
        object["matchConditions"] = conditions.into_iter().map(one).collect();
    }
    object
}
