//! Meta data and network data of machines: indexes, addresses, rendering, Secrets.
//!
//! A Metal3DataClaim (made by [`crate::machine`]) asks a Metal3DataTemplate for an index; the answer is a Metal3Data
//! `<template>-<index>`; that one asks pools for addresses and makes the Secrets a host is given.
//!
//! | module | what |
//! |---|---|
//! | [`template`], [`indexes`] | controller of templates: gives indexes to claims and takes them back |
//! | [`life`] | controller of Metal3Data: the steps from an index to Secrets, and back |
//! | [`view`], [`gather`], [`wakes`] | what those two know, where it is read, and what wakes them |
//! | [`claims`] | one address of one pool: claim, answer, release |
//! | [`subject`], [`pools`] | lookups of rendering: objects of a machine, pools a template names |
//! | [`render_metadata`], [`render_network`], [`text`] | what the Secrets hold |
//!
//! Everything but [`gather`] and [`wakes`] is pure.

pub mod claims;
pub mod gather;
pub mod indexes;
pub mod life;
pub mod pools;
pub mod render_metadata;
pub mod render_network;
pub mod secrets;
pub mod subject;
pub mod template;
pub mod text;
pub mod view;
mod wakes;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod world;

use kit::runtime::Context;
use kit::tasks::Task;
use kit::worker;

pub use self::gather::Sources;

/// How the data controllers run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Workers of the template controller.
    pub templates: worker::Options,
    /// Workers of the data controller.
    pub datas: worker::Options,
    /// Name address claims after the host instead of the index, so that a host keeps its addresses
    /// (`--enable-bmh-name-based-preallocation`).
    pub claims_named_after_host: bool,
}

/// Starts both controllers.
pub fn spawn(context: &Context, options: Options) -> Vec<Task> {
    let sources = Sources::new(context, options.claims_named_after_host);
    let templates = template::Templates { sources: sources.clone() };
    let datas = life::Datas { sources: sources.clone() };
    vec![
        worker::spawn(context, templates, wakes::templates(&sources), options.templates),
        worker::spawn(context, datas, wakes::datas(&sources), options.datas),
    ]
}
