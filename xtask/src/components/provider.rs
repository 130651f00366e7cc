//! What each component is called on the wire. The names are those of existing installations.

use api::webhooks::Component;

/// One installable component.
pub(super) struct Provider {
    pub(super) component: Component,
    /// File below `clusterctl/`.
    pub(super) file: &'static str,
    /// Subcommand of the binary.
    pub(super) subcommand: &'static str,
    pub(super) namespace: &'static str,
    /// Prefix of every object's name.
    pub(super) prefix: &'static str,
    /// Value of the label `cluster.x-k8s.io/provider`; none for what clusterctl does not manage.
    pub(super) label: Option<&'static str>,
    pub(super) service_account: &'static str,
    pub(super) webhook_service: &'static str,
    pub(super) webhook_secret: &'static str,
    pub(super) group: &'static str,
    /// Extra arguments of the manager; `${NAME:=default}` are clusterctl's variables.
    pub(super) args: &'static [&'static str],
    /// ConfigMap whose keys become the manager's environment, optional in the cluster.
    pub(super) env_from: Option<&'static str>,
    /// Secrets that the manager reads as files, optional in the cluster.
    pub(super) secrets: &'static [Mount],
}

/// A Secret whose keys become files; without the Secret the folder is there, and empty.
pub(super) struct Mount {
    pub(super) volume: &'static str,
    pub(super) secret: &'static str,
    pub(super) folder: &'static str,
    /// Each key, and the path below the folder.
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// Where the operator looks for what Ironic asks of it. Of an authority's Secret only the certificate is mounted: one
/// that cert-manager made holds the authority's key, too.
const OF_IRONIC: &[Mount] = &[
    Mount {
        volume: "ironic-credentials",
        secret: "ironic-credentials",
        // One folder higher than the Go overlay mounts it: without the Secret there is then no folder `ironic` either.
        folder: "/opt/metal3/auth",
        files: &[("username", "ironic/username"), ("password", "ironic/password")],
    },
    Mount {
        volume: "cacert",
        secret: "ironic-cacert",
        folder: "/opt/metal3/certs/ca",
        files: &[("tls.crt", "tls.crt")],
    },
    Mount {
        volume: "client-cert",
        secret: "ironic-client-cert",
        folder: "/opt/metal3/certs/client",
        files: &[("tls.crt", "tls.crt"), ("tls.key", "tls.key")],
    },
];

impl Provider {
    pub(super) fn of(component: Component) -> Self {
        match component {
            Component::Infrastructure => Self {
                component,
                file: "infrastructure-metal3/infrastructure-components.yaml",
                subcommand: "capi-provider",
                namespace: "capm3-system",
                prefix: "capm3",
                label: Some("infrastructure-metal3"),
                service_account: "capm3-manager",
                webhook_service: "capm3-webhook-service",
                webhook_secret: "capm3-webhook-service-cert",
                group: "infrastructure.cluster.x-k8s.io",
                args: &[
                    "--enable-bmh-name-based-preallocation=${ENABLE_BMH_NAME_BASED_PREALLOCATION:=false}",
                    "--fast-track=${CAPM3_FAST_TRACK:=false}",
                    "--diagnostics-address=${CAPM3_DIAGNOSTICS_ADDRESS:=:8443}",
                    "--insecure-diagnostics=${CAPM3_INSECURE_DIAGNOSTICS:=false}",
                ],
                env_from: None,
                secrets: &[],
            },
            Component::Ipam => Self {
                component,
                file: "ipam-metal3/ipam-components.yaml",
                subcommand: "ipam",
                namespace: "metal3-ipam-system",
                prefix: "ipam",
                label: Some("ipam-metal3"),
                service_account: "ipam-manager",
                webhook_service: "ipam-webhook-service",
                webhook_secret: "ipam-webhook-service-cert",
                group: "ipam.metal3.io",
                args: &[
                    "--diagnostics-address=${IPAM_DIAGNOSTICS_ADDRESS:=:8443}",
                    "--insecure-diagnostics=${IPAM_INSECURE_DIAGNOSTICS:=false}",
                ],
                env_from: None,
                secrets: &[],
            },
            Component::Bmo => Self {
                component,
                file: "bmo/bmo-components.yaml",
                subcommand: "bmo",
                namespace: "baremetal-operator-system",
                prefix: "baremetal-operator",
                label: None,
                service_account: "baremetal-operator-controller-manager",
                webhook_service: "baremetal-operator-webhook-service",
                webhook_secret: "bmo-webhook-server-cert",
                group: "metal3.io",
                args: &["--diagnostics-address=:8443"],
                env_from: Some("ironic"),
                secrets: OF_IRONIC,
            },
        }
    }

    /// `<prefix>-<rest>`.
    pub(super) fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.prefix)
    }

    /// Name of the cert-manager Certificate, as annotations refer to it: `<namespace>/<name>`.
    pub(super) fn certificate(&self) -> String {
        format!("{}/{}", self.namespace, self.name("serving-cert"))
    }
}
