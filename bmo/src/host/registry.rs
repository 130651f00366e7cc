//! The login to the registry of an OCI image, from a docker config Secret.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;

/// Name under which docker config files keep the login to the default registry.
const DOCKER_INDEX: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    username: String,
    password: String,
    auth: String,
}

/// `user:password` for the registry of the image; `None` when the Secret has no login for it.
pub fn login(secret: &Secret, image: &str) -> Result<Option<String>, String> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let kind = secret.type_.as_deref().unwrap_or_default();
    let data = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
    let wrong = || {
        format!(
            "secret \"{name}\" does not hold a docker configuration: make it with kubectl create secret docker-registry"
        )
    };
    let auths = match kind {
        "kubernetes.io/dockerconfigjson" => {
            let bytes = data(".dockerconfigjson").ok_or_else(wrong)?;
            serde_json::from_slice::<Config>(bytes).map_err(|_| wrong())?.auths
        }
        "kubernetes.io/dockercfg" => {
            serde_json::from_slice(data(".dockercfg").ok_or_else(wrong)?).map_err(|_| wrong())?
        }
        other => {
            return Err(format!(
                "secret \"{name}\" has unsupported type \"{other}\" (expected kubernetes.io/dockerconfigjson or \
                 kubernetes.io/dockercfg)"
            ));
        }
    };
    let Some(host) = host(image) else { return Ok(None) };
    let found = auths.iter().find(|(registry, _)| same(registry, &host)).map(|(_, entry)| entry);
    found.map(|entry| plain(entry).ok_or_else(wrong)).transpose()
}

/// The registry of `oci://registry/name`.
fn host(image: &str) -> Option<String> {
    let rest = image.strip_prefix("oci://")?;
    rest.split('/').next().filter(|host| !host.is_empty()).map(str::to_owned)
}

/// Entries are written as host, as URL, or under the index name of the default registry.
fn same(registry: &str, host: &str) -> bool {
    if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") && registry == DOCKER_INDEX {
        return true;
    }
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://");
    bare.split('/').next() == Some(host)
}

fn plain(entry: &Entry) -> Option<String> {
    if !entry.username.is_empty() {
        return Some(format!("{}:{}", entry.username, entry.password));
    }
    let bytes = base64(&entry.auth)?;
    String::from_utf8(bytes).ok().filter(|text| text.contains(':'))
}

/// Standard base64, as docker writes it.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn secret(kind: &str, key: &str, text: &str) -> Secret {
        Secret {
            type_: Some(kind.into()),
            data: Some(BTreeMap::from([(key.to_owned(), ByteString(text.as_bytes().to_vec()))])),
            ..Secret::default()
        }
    }

    #[test]
    fn the_login_of_the_images_registry() {
        let json = "kubernetes.io/dockerconfigjson";
        let text =
            r#"{"auths":{"quay.io":{"username":"u","password":"p"},"https://index.docker.io/v1/":{"auth":"YTpi"}}}"#;
        let config = secret(json, ".dockerconfigjson", text);
        assert_eq!(login(&config, "oci://quay.io/a/b:c").unwrap().unwrap(), "u:p");
        assert_eq!(login(&config, "oci://docker.io/a/b").unwrap().unwrap(), "a:b");
        assert_eq!(login(&config, "oci://ghcr.io/a/b").unwrap(), None);
        let old = secret("kubernetes.io/dockercfg", ".dockercfg", r#"{"quay.io":{"username":"u","password":"p"}}"#);
        assert_eq!(login(&old, "oci://quay.io/a").unwrap().unwrap(), "u:p");
        assert!(login(&secret("Opaque", "x", "{}"), "oci://quay.io/a").unwrap_err().contains("unsupported type"));
        assert!(login(&secret(json, ".dockerconfigjson", "nonsense"), "oci://quay.io/a").is_err());
    }
}
