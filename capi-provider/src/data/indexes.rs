//! Which index a claim gets. Pure.
//!
//! The Metal3Data objects are the truth: their names hold the index, and two objects of one name cannot exist, so an
//! index cannot be given away twice whatever a cache or a status says.

use std::collections::BTreeSet;

use api::infra::v1beta2::{DataIndex, Metal3Data, Metal3DataClaim};
use kit::owners;

/// Indexes in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    used: BTreeSet<i32>,
    /// Everything below is in use.
    lowest: i32,
}

impl Indexes {
    /// The indexes of these objects, by spec and by name.
    pub fn of<'a>(template: &str, datas: impl IntoIterator<Item = &'a Metal3Data>) -> Self {
        let used = datas.into_iter().flat_map(|data| {
            let by_spec = belongs(data, template).then(|| data.spec.index.unwrap_or_default());
            by_spec.into_iter().chain(data.metadata.name.as_deref().and_then(|name| index_in(name, template)))
        });
        Self { used: used.collect(), lowest: 0 }
    }

    /// Takes the wanted index if it is free, else the lowest free one.
    pub fn take(&mut self, wanted: Option<i32>) -> i32 {
        if let Some(wanted) = wanted.filter(|wanted| *wanted >= 0)
            && self.used.insert(wanted)
        {
            return wanted;
        }
        while !self.used.insert(self.lowest) {
            self.lowest += 1;
        }
        self.lowest
    }
}

/// Whether an object holds an index of the template.
pub fn belongs(data: &Metal3Data, template: &str) -> bool {
    data.spec.template.as_ref().and_then(|reference| reference.name()) == Some(template)
}

/// Whether an object is the answer to this claim: by name, and by uid where it says whose it is. A claim of the same name
/// that came later has an answer of its own.
pub fn answers(data: &Metal3Data, claim: &Metal3DataClaim) -> bool {
    let name = claim.metadata.name.as_deref();
    let by_name = data.spec.claim.as_ref().and_then(|reference| reference.name()) == name;
    let owner = owners::owner_of_kind(&data.metadata, api::infra::GROUP, "Metal3DataClaim");
    let uid = claim.metadata.uid.as_deref();
    by_name && owner.is_none_or(|owner| Some(owner.name.as_str()) != name || Some(owner.uid.as_str()) == uid)
}

/// The index in a name `<template>-<index>`.
pub fn index_in(name: &str, template: &str) -> Option<i32> {
    let digits = name.strip_prefix(template)?.strip_prefix('-')?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if canonical && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// The summary of all indexes for the template's status, ascending.
pub fn summary(template: &str, datas: &[impl AsRef<Metal3Data>]) -> Vec<DataIndex> {
    let mut indexes: Vec<DataIndex> = datas
        .iter()
        .map(AsRef::as_ref)
        .filter(|data| belongs(data, template))
        .map(|data| DataIndex {
            index: data.spec.index.unwrap_or_default(),
            name: data.spec.claim.as_ref().and_then(|claim| claim.name()).unwrap_or_default().to_owned(),
        })
        .filter(|entry| !entry.name.is_empty())
        .collect();
    indexes.sort();
    indexes.dedup_by_key(|entry| entry.index);
    indexes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::infra::v1beta2::{Metal3DataSpec, ObjectRef};

    use super::*;

    fn data(name: &str, template: &str, index: i32, claim: &str) -> Arc<Metal3Data> {
        let spec = Metal3DataSpec {
            index: Some(index),
            template: Some(ObjectRef::new("n", template)),
            claim: Some(ObjectRef::new("n", claim)),
            ..Metal3DataSpec::default()
        };
        Arc::new(Metal3Data::new(name, spec))
    }

    #[test]
    fn the_lowest_free_index_is_taken() {
        for (used, wanted, expected) in [
            (&[][..], None, 0),
            (&[0, 1, 2], None, 3),
            (&[0, 2], None, 1),
            (&[1, 2], None, 0),
            (&[0, 1], Some(7), 7),
            (&[0, 1], Some(1), 2),
            (&[], Some(-1), 0),
        ] {
            let datas: Vec<_> = used.iter().map(|i| data(&format!("t-{i}"), "t", *i, "c")).collect();
            let mut indexes = Indexes::of("t", datas.iter().map(|data| &**data));
            assert_eq!(indexes.take(wanted), expected, "{used:?} {wanted:?}");
        }
    }

    #[test]
    fn many_takes_never_repeat_and_leave_no_gap() {
        let datas = [data("t-1", "t", 1, "c"), data("t-4", "t", 4, "d")];
        let mut indexes = Indexes::of("t", datas.iter().map(|data| &**data));
        let taken: Vec<i32> = (0..6).map(|_| indexes.take(None)).collect();
        assert_eq!(taken, [0, 2, 3, 5, 6, 7]);
    }

    #[test]
    fn a_foreign_object_of_our_name_occupies_its_index() {
        let datas = [data("t-0", "other", 5, "c")];
        assert_eq!(Indexes::of("t", datas.iter().map(|data| &**data)).take(None), 1);
    }

    #[test]
    fn indexes_in_names() {
        for (name, expected) in
            [("t-0", Some(0)), ("t-12", Some(12)), ("t-01", None), ("t--1", None), ("t-", None), ("tt-1", None)]
        {
            assert_eq!(index_in(name, "t"), expected, "{name}");
        }
        assert_eq!(index_in("a-1-2", "a"), None);
        assert_eq!(index_in("a-1-2", "a-1"), Some(2));
    }

    #[test]
    fn the_summary_is_rebuilt_from_the_objects() {
        let datas = [data("t-2", "t", 2, "b"), data("t-0", "t", 0, "a"), data("o-0", "o", 0, "x")];
        let summary = summary("t", &datas);
        let pairs: Vec<_> = summary.iter().map(|entry| (entry.index, entry.name.as_str())).collect();
        assert_eq!(pairs, [(0, "a"), (2, "b")]);
    }
}
