//! v1beta2, the stored version. Nothing here does I/O; limits in the types become limits of the CRDs.

mod cluster;
mod cluster_template;
mod common;
mod data;
mod data_claim;
mod data_template;
mod machine;
mod machine_template;
mod meta_data;
mod network_data;
mod remediation;
mod remediation_template;

pub use cluster::{
    ApiEndpoint, FailureDomain, Metal3Cluster, Metal3ClusterDeprecated, Metal3ClusterSpec, Metal3ClusterStatus,
    Metal3ClusterV1Beta1Deprecated,
};
pub use cluster_template::{Metal3ClusterTemplate, Metal3ClusterTemplateResource, Metal3ClusterTemplateSpec};
pub use common::{Initialization, ObjectKind, ObjectRef, TemplateMeta, V1Beta1Condition};
pub use data::{Metal3Data, Metal3DataSpec, Metal3DataStatus};
pub use data_claim::{Metal3DataClaim, Metal3DataClaimSpec, Metal3DataClaimStatus};
pub use data_template::{DataIndex, Metal3DataTemplate, Metal3DataTemplateSpec, Metal3DataTemplateStatus};
pub use machine::{
    AddressType, AutomatedCleaningMode, ChecksumType, CustomDeploy, DiskFormat, HostSelector, HostSelectorRequirement,
    Image, MachineAddress, Metal3Machine, Metal3MachineDeprecated, Metal3MachineSpec, Metal3MachineStatus,
    Metal3MachineV1Beta1Deprecated,
};
pub use machine_template::{Metal3MachineTemplate, Metal3MachineTemplateResource, Metal3MachineTemplateSpec};
pub use meta_data::{
    FromPool, MetaData, MetaDataFromAnnotation, MetaDataFromLabel, MetaDataHostInterface, MetaDataIndex,
    MetaDataNamespace, MetaDataObjectName, MetaDataString,
};
pub use network_data::{
    Bond, BondMode, BondParameter, BondXmitHashPolicy, DynamicNetwork, Ethernet, EthernetType, FromAnnotation, Gateway,
    Links, MacAddress, Network, NetworkData, Networks, PoolRef, Route, Services, Vlan,
};
pub(in crate::infra) use network_data::{LINK_NAME, any_family};
pub use remediation::{
    Metal3Remediation, Metal3RemediationSpec, Metal3RemediationStatus, RemediationPhase, RemediationStrategy,
    RemediationType,
};
pub use remediation_template::{
    Metal3RemediationTemplate, Metal3RemediationTemplateResource, Metal3RemediationTemplateSpec,
    Metal3RemediationTemplateStatus,
};
