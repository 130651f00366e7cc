//! Every name on the wire: labels, annotations, finalizers, lease names, field managers.
//!
//! These are a contract with users, with Cluster API and with the Go Metal3: none may be changed.

/// Finalizers, by the object that carries them.
pub mod finalizer {
    /// On a BareMetalHost, from its first pass until its node is gone from Ironic.
    pub const HOST: &str = "baremetalhost.metal3.io";
    /// On the BMC Secret and the preprovisioning network Secret of a host.
    pub const HOST_SECRET: &str = "baremetalhost.metal3.io/secret";
    /// On a host's HardwareData, until the host is being deleted.
    pub const HOST_HARDWARE_DATA: &str = "baremetalhost.metal3.io/hardwareData";
    /// On a PreprovisioningImage, set by the host's controller.
    pub const HOST_PREPROVISIONING_IMAGE: &str = "baremetalhost.metal3.io/preprovisioningImage";
    /// On a PreprovisioningImage, set by its own controller.
    pub const PREPROVISIONING_IMAGE: &str = "preprovisioningimage.metal3.io";
    /// On a BMCEventSubscription.
    pub const BMC_EVENT_SUBSCRIPTION: &str = "bmceventsubscription.metal3.io";
    /// On a DataImage.
    pub const DATA_IMAGE: &str = "dataimage.metal3.io";
    /// On a HostClaim.
    pub const HOST_CLAIM: &str = "metal3.io/hostclaim";
    /// On a HardwareClassification.
    pub const HARDWARE_CLASSIFICATION: &str = "hardwareclassification.metal3.io";
    /// On an IPPool.
    pub const IP_POOL: &str = "ippool.ipam.metal3.io";
    /// On an IPClaim of ipam.metal3.io.
    pub const IP_CLAIM: &str = "ipclaim.ipam.metal3.io";
    /// On an IPAddress of ipam.metal3.io.
    pub const IP_ADDRESS: &str = "ipaddress.ipam.metal3.io";
    /// On an IPAddressClaim of ipam.cluster.x-k8s.io that one of our pools serves.
    pub const CAPI_IP_ADDRESS_CLAIM: &str = "ipam.metal3.io/ipaddressclaim";
    /// On an IPAddress of ipam.cluster.x-k8s.io that one of our pools made.
    pub const CAPI_IP_ADDRESS: &str = "ipam.metal3.io/ipaddress";
    /// On a Metal3Cluster.
    pub const METAL3_CLUSTER: &str = "metal3cluster.infrastructure.cluster.x-k8s.io";
    /// On a Metal3Machine, and on its Metal3DataClaim from creation on.
    pub const METAL3_MACHINE: &str = "metal3machine.infrastructure.cluster.x-k8s.io";
    /// On a Metal3DataTemplate.
    pub const METAL3_DATA_TEMPLATE: &str = "metal3datatemplate.infrastructure.cluster.x-k8s.io";
    /// On a Metal3Data, and on every address claim that it makes.
    pub const METAL3_DATA: &str = "metal3data.infrastructure.cluster.x-k8s.io";
    /// On a Metal3DataClaim, and on its Metal3Data from creation on.
    pub const METAL3_DATA_CLAIM: &str = "metal3dataclaim.infrastructure.cluster.x-k8s.io";
    /// On a Metal3Remediation.
    pub const METAL3_REMEDIATION: &str = "metal3remediation.infrastructure.cluster.x-k8s.io";
    /// On an Ironic.
    pub const IRONIC: &str = "ironic.metal3.io";
}

/// Annotations.
pub mod annotation {
    /// On a host: its controller does nothing at all while it is there, whatever the value.
    pub const HOST_PAUSED: &str = "baremetalhost.metal3.io/paused";
    /// The value of [`HOST_PAUSED`] that the Cluster API provider writes; it removes only this one.
    pub const HOST_PAUSED_BY_CAPM3: &str = "metal3.io/capm3";
    /// The value of [`HOST_PAUSED`] that a HostClaim writes.
    pub const HOST_PAUSED_BY_HOST_CLAIM: &str = "metal3.io/hostclaim";
    /// On a host: release its node from Ironic without touching the machine. Value: anything, or JSON
    /// `{"deleteAction":"delay"|"delete","force":bool}`.
    pub const HOST_DETACHED: &str = "baremetalhost.metal3.io/detached";
    /// On a host: JSON of a status to restore while the real one was never written; always removed afterwards.
    pub const HOST_STATUS: &str = "baremetalhost.metal3.io/status";
    /// On a host: reboot once; removed when the host is off. Value: empty or JSON `{"mode":"hard"|"soft","force":bool}`.
    pub const REBOOT: &str = "reboot.metal3.io";
    /// Prefix of annotations on a host that keep it off until their owner removes them. Values as [`REBOOT`].
    pub const REBOOT_PREFIX: &str = "reboot.metal3.io/";
    /// On a host: empty asks for a new inspection, `disabled` is the old form of `inspectionMode: disabled`.
    pub const INSPECT: &str = "inspect.metal3.io";
    /// The value of [`INSPECT`] that turns inspection off.
    pub const INSPECT_DISABLED: &str = "disabled";
    /// On a host: JSON of hardware details found by somebody else.
    pub const HARDWARE_DETAILS: &str = "inspect.metal3.io/hardwaredetails";
    /// On a Metal3Machine: `namespace/name` of its host.
    pub const MACHINE_HOST: &str = "metal3.io/BareMetalHost";
    /// On a host: it is not chosen for a machine while this is there.
    pub const HOST_UNHEALTHY: &str = "capm3.metal3.io/unhealthy";
    /// The old form of [`HOST_UNHEALTHY`], still honoured.
    pub const HOST_UNHEALTHY_OLD: &str = "capi.metal3.io/unhealthy";
    /// The value of [`HOST_UNHEALTHY`] that a remediation writes.
    pub const HOST_UNHEALTHY_BY_REMEDIATION: &str = "capm3/UnhealthyNode";
    /// Prefix of the power-off annotation of a remediation; the Metal3Remediation's uid follows.
    pub const REMEDIATION_POWER_OFF_PREFIX: &str = "reboot.metal3.io/metal3-remediation-";
    /// On a Metal3Remediation: JSON map of the deleted Node's annotations.
    pub const NODE_ANNOTATIONS_BACKUP: &str = "remediation.metal3.io/node-annotations-backup";
    /// On a Metal3Remediation: JSON map of the deleted Node's labels.
    pub const NODE_LABELS_BACKUP: &str = "remediation.metal3.io/node-labels-backup";
    /// On a Metal3Cluster: comma separated prefixes of the host labels that are copied to Nodes.
    pub const LABEL_SYNC_PREFIXES: &str = "metal3.io/metal3-label-sync-prefixes";
    /// On an IPClaim or IPAddressClaim: the address that is asked for.
    pub const IP_ADDRESS: &str = "ipAddress";
    /// Cluster API: the object's controller does nothing while it is there.
    pub const CAPI_PAUSED: &str = "cluster.x-k8s.io/paused";
    /// Cluster API: somebody else's controller is in charge of the object.
    pub const CAPI_MANAGED_BY: &str = "cluster.x-k8s.io/managed-by";
    /// Cluster API: the template that an object was made from.
    pub const CAPI_CLONED_FROM_NAME: &str = "cluster.x-k8s.io/cloned-from-name";
    /// Cluster API: `Kind.group` of the template that an object was made from.
    pub const CAPI_CLONED_FROM_GROUP_KIND: &str = "cluster.x-k8s.io/cloned-from-groupkind";
    /// Cluster API: what the older version of an object cannot hold, as JSON.
    pub const CAPI_CONVERSION_DATA: &str = "cluster.x-k8s.io/conversion-data";
    /// Cluster API: `clusterctl move` waits while it is there.
    pub const CLUSTERCTL_BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";
    /// Cluster API: on a CRD whose plural does not follow the rule.
    pub const CLUSTERCTL_SKIP_CRD_NAME_CHECK: &str = "clusterctl.cluster.x-k8s.io/skip-crd-name-preflight-check";
    /// cert-manager: on a CRD or webhook configuration, `namespace/name` of the Certificate whose CA is injected.
    pub const CERT_MANAGER_INJECT_CA: &str = "cert-manager.io/inject-ca-from";
    /// On Ironic's pods: hash of the API credentials.
    pub const IRONIC_API_SECRET_VERSION: &str = "ironic.metal3.io/api-secret-version";
    /// On Ironic's pods: hash of the TLS Secret.
    pub const IRONIC_TLS_SECRET_VERSION: &str = "ironic.metal3.io/tls-secret-version";
    /// On the networking service's pods: hash of the switch configuration.
    pub const IRONIC_SWITCH_CONFIG_VERSION: &str = "ironic.metal3.io/switch-config-version";
    /// On the networking service's pods: hash of the switch credentials.
    pub const IRONIC_SWITCH_CREDENTIALS_VERSION: &str = "ironic.metal3.io/switch-credentials-version";
}

/// Labels.
pub mod label {
    /// On every Secret that the host's controller reads; only those are watched.
    pub const ENVIRONMENT: &str = "environment.metal3.io";
    /// The value of [`ENVIRONMENT`].
    pub const ENVIRONMENT_BAREMETAL: &str = "baremetal";
    /// Cluster API: the Cluster that an object belongs to.
    pub const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";
    /// Cluster API: which of several managers is in charge of an object.
    pub const WATCH_FILTER: &str = "cluster.x-k8s.io/watch-filter";
    /// Cluster API: on a control plane Machine.
    pub const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
    /// Cluster API: the provider that an object belongs to.
    pub const PROVIDER: &str = "cluster.x-k8s.io/provider";
    /// The value of [`PROVIDER`] for the Cluster API provider.
    pub const PROVIDER_INFRASTRUCTURE: &str = "infrastructure-metal3";
    /// The value of [`PROVIDER`] for the IP address manager.
    pub const PROVIDER_IPAM: &str = "ipam-metal3";
    /// Cluster API: on a CRD, the API versions that meet contract v1beta1, joined by `_`.
    pub const CONTRACT_V1BETA1: &str = "cluster.x-k8s.io/v1beta1";
    /// Cluster API: on a CRD, the API versions that meet contract v1beta2, joined by `_`.
    pub const CONTRACT_V1BETA2: &str = "cluster.x-k8s.io/v1beta2";
    /// clusterctl: on a CRD, its objects are looked at by `clusterctl move`.
    pub const CLUSTERCTL: &str = "clusterctl.cluster.x-k8s.io";
    /// clusterctl: objects of the CRD are moved although no owner chain leads to a Cluster.
    pub const CLUSTERCTL_MOVE: &str = "clusterctl.cluster.x-k8s.io/move";
    /// clusterctl: as [`CLUSTERCTL_MOVE`], with everything that the objects own.
    pub const CLUSTERCTL_MOVE_HIERARCHY: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";
    /// On a released host that is kept for machines of the same control plane (`cp-NAME`) or deployment (`md-NAME`).
    pub const NODE_REUSE: &str = "infrastructure.cluster.x-k8s.io/node-reuse";
    /// On a host: the failure domain it stands in.
    pub const FAILURE_DOMAIN: &str = "infrastructure.cluster.x-k8s.io/failure-domain";
    /// On an IPClaim whose name is made from the host's: the Metal3Data.
    pub const DATA_NAME: &str = "infrastructure.cluster.x-k8s.io/data-name";
    /// On an IPClaim whose name is made from the host's: the pool.
    pub const POOL_NAME: &str = "infrastructure.cluster.x-k8s.io/pool-name";
    /// Cluster API: on a Machine, the MachineDeployment that it belongs to.
    pub const CAPI_DEPLOYMENT_NAME: &str = "cluster.x-k8s.io/deployment-name";
    /// On a Node: the uid of its host.
    pub const NODE_HOST_UID: &str = "metal3.io/uuid";
    /// Prefix of the labels on hosts that match a HardwareClassification; the profile's name follows.
    pub const HARDWARE_CLASSIFICATION_PREFIX: &str = "hardwareclassification.metal3.io/";
    /// On a host whose classification failed.
    pub const HARDWARE_CLASSIFICATION_ERROR: &str = "hardwareclassification-error";
    /// On Ironic's pods and in its Services' selectors: `NAME-service`.
    pub const IRONIC_APP: &str = "ironic.metal3.io/app";
    /// On what belongs to an Ironic: its name.
    pub const IRONIC: &str = "ironic.metal3.io/ironic";
    /// On what belongs to an Ironic: its version.
    pub const IRONIC_VERSION: &str = "ironic.metal3.io/version";
    /// On the networking service of an Ironic: its name.
    pub const IRONIC_INSTANCE: &str = "ironic.metal3.io/instance";
    /// On switch Secrets that the Ironic operator made: `true`.
    pub const IRONIC_MANAGED: &str = "ironic.metal3.io/managed";
    /// On Secrets and ConfigMaps that an Ironic refers to: `true`; others are not read.
    pub const IRONIC_ENVIRONMENT: &str = "environment.metal3.io/ironic-standalone-operator";
}

/// Lease names of the leader elections: those of the Go controllers, so that old and new never act at once.
pub mod lease {
    /// Bare metal operator.
    pub const BMO: &str = "baremetal-operator";
    /// Cluster API provider.
    pub const CAPI_PROVIDER: &str = "controller-leader-election-capm3";
    /// IP address manager.
    pub const IPAM: &str = "controller-leader-election-ipam-capm3";
    /// Ironic operator.
    pub const IRONIC_OPERATOR: &str = "ironic.metal3.io";
}

/// Field managers: who wrote a field, one name per controller program.
pub mod field_manager {
    /// Bare metal operator.
    pub const BMO: &str = "metal3-bmo";
    /// Cluster API provider.
    pub const CAPI_PROVIDER: &str = "metal3-capi-provider";
    /// IP address manager.
    pub const IPAM: &str = "metal3-ipam";
    /// Ironic operator.
    pub const IRONIC_OPERATOR: &str = "metal3-ironic-operator";
}

/// Events of the bare metal operator.
pub mod event {
    /// `source.component`.
    pub const BMO_COMPONENT: &str = "metal3-baremetal-controller";
    /// `reportingController`.
    pub const BMO_REPORTER: &str = "metal3.io/baremetal-controller";
}

/// Types and keys of Secrets.
pub mod secret {
    /// Type of the rendered meta data and network data Secrets.
    pub const DATA_TYPE: &str = "infrastructure.cluster.x-k8s.io/secret";
    /// Key of the BMC user name.
    pub const USERNAME: &str = "username";
    /// Key of the BMC password.
    pub const PASSWORD: &str = "password";
    /// Key of rendered meta data.
    pub const META_DATA: &str = "metaData";
    /// Key of rendered network data.
    pub const NETWORK_DATA: &str = "networkData";
    /// Key of user data, of a kubeconfig and of bootstrap data.
    pub const VALUE: &str = "value";
    /// Name of the meta data Secret of a Metal3Machine.
    pub fn meta_data_name(machine: &str) -> String {
        format!("{machine}-metadata")
    }
    /// Name of the network data Secret of a Metal3Machine.
    pub fn network_data_name(machine: &str) -> String {
        format!("{machine}-networkdata")
    }
}

/// The taint that a remediation puts on the Node of a host that is off (`NoExecute`).
pub mod taint {
    /// Key.
    pub const OUT_OF_SERVICE_KEY: &str = "node.kubernetes.io/out-of-service";
    /// Value.
    pub const OUT_OF_SERVICE_VALUE: &str = "nodeshutdown";
}

/// Start of every provider ID: `metal3://NAMESPACE/HOST/METAL3MACHINE`.
pub const PROVIDER_ID_PREFIX: &str = "metal3://";

/// The Ironic node name of a host: `NAMESPACE~NAME`.
pub fn ironic_node(namespace: &str, host: &str) -> String {
    format!("{namespace}~{host}")
}
