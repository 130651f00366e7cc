//! The config drive of an instance: meta data, network data and user data from the host's Secrets.

use ironic::ConfigDrive;
use serde_json::{Map, Value};

/// Who the instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The host's uid; cloud-init's instance id.
    pub uid: &'a str,
    /// The host's namespace.
    pub namespace: &'a str,
    /// The host's name.
    pub name: &'a str,
}

/// The contents of the host's Secrets, verbatim; `None` where nothing is referred to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents<'a> {
    /// User data, of any format.
    pub user_data: Option<&'a str>,
    /// Network data, YAML or JSON in OpenStack's format.
    pub network_data: Option<&'a str>,
    /// Meta data, a YAML or JSON map.
    pub meta_data: Option<&'a str>,
}

impl std::fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = |part: Option<&str>| part.map(str::len);
        let lengths = (length(self.user_data), length(self.network_data), length(self.meta_data));
        write!(f, "Contents(bytes of user, network, meta data: {lengths:?})")
    }
}

/// Why a config drive cannot be built. The texts do not show the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigDriveError {
    /// The meta data is no map.
    #[error("the metaData Secret of the host does not hold a YAML or JSON map: correct it")]
    MetaData,
    /// The network data is no map.
    #[error("the networkData Secret of the host does not hold a YAML or JSON map: correct it")]
    NetworkData,
}

/// Builds the config drive. The defaults of the meta data are always there: cloud-init refuses a drive without
/// `uuid`, and the machine would come up without any of its data while Ironic says that all is well.
pub fn build(identity: Identity<'_>, contents: Contents<'_>) -> Result<ConfigDrive, ConfigDriveError> {
    let given = contents.meta_data.map(map).transpose().map_err(|NotAMap| ConfigDriveError::MetaData)?;
    let mut meta_data = defaults(identity);
    for (key, value) in given.flatten().into_iter().flatten() {
        let empties_uuid = key == "uuid" && (value.is_null() || value == "");
        if !empties_uuid {
            meta_data.insert(key, value);
        }
    }
    let network_data = contents.network_data.map(map).transpose().map_err(|NotAMap| ConfigDriveError::NetworkData)?;
    Ok(ConfigDrive {
        meta_data: Some(meta_data),
        network_data: network_data.flatten(),
        user_data: contents.user_data.filter(|data| !data.is_empty()).map(str::to_owned),
    })
}

fn defaults(identity: Identity<'_>) -> Map<String, Value> {
    let pairs = [
        ("uuid", identity.uid),
        ("metal3-namespace", identity.namespace),
        ("metal3-name", identity.name),
        ("local-hostname", identity.name),
        ("local_hostname", identity.name),
        ("name", identity.name),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

struct NotAMap;

/// The map of a YAML or JSON text; `None` for an empty text.
fn map(text: &str) -> Result<Option<Map<String, Value>>, NotAMap> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match kit::yaml::parse_like_go::<Value>(text) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(Value::Null) => Ok(None),
        Ok(_) | Err(_) => Err(NotAMap),
    }
}

/// Parses network data for a node's ramdisk; `None` for an empty text.
pub fn network_data(text: &str) -> Result<Option<Map<String, Value>>, ConfigDriveError> {
    map(text).map_err(|NotAMap| ConfigDriveError::NetworkData)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOST: Identity<'_> = Identity { uid: "u-1", namespace: "ns", name: "node-0" };

    fn drive(contents: Contents<'_>) -> Value {
        serde_json::to_value(build(HOST, contents).unwrap()).unwrap()
    }

    #[test]
    fn defaults_are_always_there() {
        let defaults = json!({
            "uuid": "u-1", "metal3-namespace": "ns", "metal3-name": "node-0",
            "local-hostname": "node-0", "local_hostname": "node-0", "name": "node-0",
        });
        assert_eq!(drive(Contents::default()), json!({"meta_data": defaults}));
        for empty in ["", "\n", "{}", "null", "uuid: ''", "uuid:"] {
            let contents = Contents { meta_data: Some(empty), user_data: Some(""), network_data: Some("") };
            assert_eq!(drive(contents), json!({"meta_data": defaults}), "{empty:?}");
        }
    }

    #[test]
    fn given_values_override_and_add() {
        let contents = Contents {
            meta_data: Some("name: other\nproviderid: metal3://x\nlist: [1, two]\n"),
            network_data: Some(r#"{"links": [{"id": "eth0"}]}"#),
            user_data: Some("#cloud-config\nhostname: x\n"),
        };
        let drive = drive(contents);
        assert_eq!(drive["meta_data"]["name"], "other");
        assert_eq!(drive["meta_data"]["uuid"], "u-1");
        assert_eq!(drive["meta_data"]["providerid"], "metal3://x");
        assert_eq!(drive["meta_data"]["list"], json!([1, "two"]));
        assert_eq!(drive["network_data"], json!({"links": [{"id": "eth0"}]}));
        assert_eq!(drive["user_data"], "#cloud-config\nhostname: x\n");
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for bad in ["- a", "text", "a: [", "3"] {
            let meta = Contents { meta_data: Some(bad), ..Contents::default() };
            assert_eq!(build(HOST, meta), Err(ConfigDriveError::MetaData), "{bad}");
            let network = Contents { network_data: Some(bad), ..Contents::default() };
            assert_eq!(build(HOST, network), Err(ConfigDriveError::NetworkData), "{bad}");
        }
    }
}
