//! ipam.metal3.io (pools, claims, addresses) and Cluster API's own address contract.
