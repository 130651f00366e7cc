//! api: every type on the wire, its CRD, its validation and every name.
//!
//! Who feeds whom:
//!
//! | module | group | written by users | written by |
//! |---|---|---|---|
//! | [`metal3`] | `metal3.io` | hosts, firmware settings, policies | `bmo`; `capi-provider` claims hosts |
//! | [`ipam`] | `ipam.metal3.io`, `ipam.cluster.x-k8s.io` | pools | `ipam`; `capi-provider` writes claims |
//! | [`infra`] | `infrastructure.cluster.x-k8s.io` | machines, templates, data templates | `capi-provider` |
//! | [`capi`] | `cluster.x-k8s.io` (read mostly) | clusters, machines | Cluster API |
//!
//! [`names`] has all labels, annotations and finalizers; [`meta`] the small shared types; [`duration`] reads what Go
//! calls one; [`schema`] turns the
//! types into CRDs; [`validation`] is what every validator returns; [`webhooks`] the table of admission webhooks; [`build`] has builders for tests.

// Every printer column repeats the names of its attributes; clippy takes that for a mistake.
#![allow(clippy::duplicated_attributes)]

pub mod build;
pub mod capi;
pub mod duration;
pub mod infra;
pub mod ipam;
pub mod meta;
pub mod metal3;
pub mod names;
pub mod schema;
pub mod validation;
pub mod webhooks;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Every CRD of the project, in the order of the groups above. Each group's module adds its own.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [metal3::crds(), ipam::crds(), infra::crds()].concat()
}
