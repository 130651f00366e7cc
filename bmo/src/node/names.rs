//! The name of a host's node: `namespace~name`, unique in Ironic. Neither part can hold a `~`.

/// The name of a host's node.
pub fn node_name(namespace: &str, name: &str) -> String {
    format!("{namespace}~{name}")
}

/// The host's namespace and name behind a node name; `None` for a node that is nobody's, or of very old ones that
/// had the bare host name.
pub fn host_of(node_name: &str) -> Option<(&str, &str)> {
    node_name.split_once('~').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
}

/// Under which names a host's node may be known, best first: the present form, then the bare name of very old ones.
pub fn candidates(namespace: &str, name: &str) -> Vec<String> {
    let mut names = vec![node_name(namespace, name)];
    if !name.contains('~') {
        names.push(name.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_host() {
        assert_eq!(node_name("metal3", "node-0.rack.example"), "metal3~node-0.rack.example");
        assert_eq!(host_of("metal3~node-0.rack.example"), Some(("metal3", "node-0.rack.example")));
        for nobody in ["node-0", "~node-0", "metal3~", ""] {
            assert_eq!(host_of(nobody), None, "{nobody}");
        }
        assert_eq!(candidates("a", "b"), ["a~b", "b"]);
    }
}
