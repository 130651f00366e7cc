//! A paused Cluster: its hosts are made ready for `clusterctl move`. Pure.
//!
//! The order matters: clusterctl waits while the block-move annotation is there, so it goes last, after the host is
//! paused and carries its own status as an annotation (a move does not take status along).

use api::metal3::BareMetalHost;
use api::names::annotation;
use kit::diff;
use kit::pass::Write;

/// The next write towards a host that can be moved; `None` when it is ready.
pub fn step(host: &BareMetalHost) -> Option<Write> {
    let has = |key: &str| host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    let paused = has(annotation::HOST_PAUSED);
    // A host that its user paused does not carry its status yet.
    let ready = paused && (has(annotation::HOST_STATUS) || host.status.is_none());
    let mut after = host.clone();
    let annotations = after.metadata.annotations.get_or_insert_default();
    match (ready, has(annotation::CLUSTERCTL_BLOCK_MOVE)) {
        (true, true) => {
            annotations.remove(annotation::CLUSTERCTL_BLOCK_MOVE);
        }
        (true, false) => return None,
        (false, false) => {
            annotations.insert(annotation::CLUSTERCTL_BLOCK_MOVE.to_owned(), String::new());
        }
        (false, true) => {
            if !paused {
                annotations.insert(annotation::HOST_PAUSED.to_owned(), annotation::HOST_PAUSED_BY_CAPM3.to_owned());
            }
            if let Some(status) = saved_status(host) {
                annotations.insert(annotation::HOST_STATUS.to_owned(), status);
            }
        }
    }
    diff::object_exact(host, &after)
}

/// The host's status as the annotation carries it: JSON without the hardware, which the HardwareData object has.
fn saved_status(host: &BareMetalHost) -> Option<String> {
    let mut status = host.status.clone()?;
    status.hardware = None;
    serde_json::to_string(&status).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use api::metal3::{BareMetalHostStatus, HardwareDetails};

    use super::*;

    fn host() -> BareMetalHost {
        let mut host = BareMetalHost::default();
        host.metadata.name = Some("h".into());
        host.status = Some(BareMetalHostStatus {
            error_message: "e".into(),
            hardware: Some(HardwareDetails::default()),
            ..BareMetalHostStatus::default()
        });
        host
    }

    /// The annotations that are set or removed until the host is ready, in their order.
    fn written(host: &mut BareMetalHost) -> Vec<(String, bool)> {
        let mut seen = Vec::new();
        while let Some(write) = step(host) {
            let Write::Patch { body, .. } = write else { panic!("not a patch") };
            let all = host.metadata.annotations.get_or_insert_with(BTreeMap::new);
            for (key, value) in body["metadata"]["annotations"].as_object().unwrap().clone() {
                seen.push((key.clone(), !value.is_null()));
                match value.as_str() {
                    Some(text) => drop(all.insert(key, text.to_owned())),
                    None => drop(all.remove(&key)),
                }
            }
        }
        seen
    }

    #[test]
    fn a_move_is_blocked_until_pause_and_status_are_written() {
        let block = |set| (annotation::CLUSTERCTL_BLOCK_MOVE, set);
        let (pause, status) = ((annotation::HOST_PAUSED, true), (annotation::HOST_STATUS, true));
        for (by_user, expected) in
            [(false, vec![block(true), pause, status, block(false)]), (true, vec![block(true), status, block(false)])]
        {
            let mut host = host();
            if by_user {
                host.metadata.annotations = Some([(annotation::HOST_PAUSED.to_owned(), "by hand".to_owned())].into());
            }
            let written = written(&mut host);
            let order: Vec<(&str, bool)> = written.iter().map(|(key, set)| (key.as_str(), *set)).collect();
            assert_eq!(order, expected, "by the user: {by_user}");
            let annotations = host.metadata.annotations.unwrap();
            let saved: serde_json::Value = serde_json::from_str(&annotations[annotation::HOST_STATUS]).unwrap();
            assert_eq!(saved["errorMessage"], "e");
            assert!(saved.get("hardware").is_none());
            let by = if by_user { "by hand" } else { annotation::HOST_PAUSED_BY_CAPM3 };
            assert_eq!(annotations[annotation::HOST_PAUSED], by);
        }
    }

    #[test]
    fn a_host_that_nobody_looked_at_moves_without_a_status() {
        let mut host = BareMetalHost { status: None, ..host() };
        assert_eq!(written(&mut host).len(), 3);
        assert!(!host.metadata.annotations.unwrap().contains_key(annotation::HOST_STATUS));
    }
}
