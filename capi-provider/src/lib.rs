//! capi-provider: the Cluster API infrastructure provider.
//!
//! Who feeds whom:
//!
//! | module | reads | writes |
//! |---|---|---|
//! | [`cluster`] | Cluster, Machines | Metal3Cluster status: endpoint, failure domains |
//! | [`machine`] | Machine, Cluster, hosts, data, Nodes | host claim and spec, Metal3DataClaim, providerID of Node and Metal3Machine |
//! | [`remote`] | `<cluster>-kubeconfig` Secrets | Nodes of workload clusters |

pub mod machine;
pub mod remote;
