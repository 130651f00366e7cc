//! From a URL to what is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use kit::key::Key;

use super::failure::Failure;
use super::intercept::Verb;
use super::kinds::{Kind, Version};

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) kind: Arc<Kind>,
    version: usize,
    /// The object; for lists, watches and creations the name is empty.
    pub(crate) key: Key,
    pub(crate) subresource: Option<String>,
    pub(crate) verb: Verb,
    query: BTreeMap<String, String>,
}

impl Route {
    /// From method, path and query. Discovery is not served.
    pub(crate) fn parse(kinds: &[Arc<Kind>], method: &Method, uri: &http::Uri) -> Result<Self, Failure> {
        let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts[..] {
            ["api", version, ref rest @ ..] => ("", version, rest),
            ["apis", group, version, ref rest @ ..] => (group, version, rest),
            _ => return Err(Failure::no_such_path()),
        };
        // A path below `namespaces/x` is inside of it, unless it is the Namespace itself.
        let (namespace, rest) = match *rest {
            ["namespaces", namespace, plural, ref rest @ ..] if !(group.is_empty() && plural == "status") => {
                (namespace, [&[plural], rest].concat())
            }
            _ => ("", rest.to_vec()),
        };
        let Some((plural, rest)) = rest.split_first() else { return Err(Failure::no_such_path()) };
        let found = kinds.iter().find_map(|kind| {
            let wanted = kind.name.group == group && kind.plural == *plural;
            let version = kind.versions.iter().position(|served| served.name == version)?;
            wanted.then(|| (kind.clone(), version))
        });
        let (kind, version) = found.ok_or_else(Failure::no_such_path)?;
        let (name, subresource) = match *rest {
            [] => ("", None),
            [name] => (name, None),
            [name, part] => (name, Some(part.to_owned())),
            _ => return Err(Failure::no_such_path()),
        };
        let query = uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut route = Self { kind, version, key: Key::new(namespace, name), subresource, verb: Verb::Get, query };
        route.verb = route.verb_of(method)?;
        route.check()?;
        Ok(route)
    }

    fn verb_of(&self, method: &Method) -> Result<Verb, Failure> {
        let named = !self.key.name.is_empty();
        Ok(match (method.as_str(), named) {
            ("GET", true) => Verb::Get,
            ("GET", false) if matches!(self.parameter("watch"), "true" | "1") => Verb::Watch,
            ("GET", false) => Verb::List,
            ("POST", false) => Verb::Create,
            ("PUT", true) => Verb::Update,
            ("PATCH", true) => Verb::Patch,
            ("DELETE", true) => Verb::Delete,
            ("DELETE", false) => Verb::DeleteCollection,
            (method, _) => return Err(Failure::no_such_verb(&self.kind, method)),
        })
    }

    /// Scopes and subresources that do not exist, and parameters that would be passed over silently.
    fn check(&self) -> Result<(), Failure> {
        let inside = !self.key.namespace.is_empty();
        let across = matches!(self.verb, Verb::List | Verb::Watch);
        if inside != self.kind.namespaced && !(self.kind.namespaced && across) {
            return Err(Failure::no_such_path());
        }
        match self.subresource.as_deref() {
            None => {}
            Some("status") if self.served().status => {
                let fits = matches!(self.verb, Verb::Get | Verb::Update | Verb::Patch);
                fits.then_some(()).ok_or_else(|| Failure::no_such_verb(&self.kind, "this"))?;
            }
            Some(_) if !self.kind.custom => return Err(Failure::no_such_part()),
            Some(_) => return Err(Failure::not_found(&self.kind, &self.key.name)),
        }
        for unknown in ["dryRun", "fieldValidation", "sendInitialEvents", "force", "shardSelector"] {
            if !matches!(self.parameter(unknown), "" | "Warn" | "false") {
                return Err(Failure::not_simulated(&format!("the parameter {unknown}")));
            }
        }
        Ok(())
    }

    /// The version of the request.
    pub(crate) fn served(&self) -> &Version {
        &self.kind.versions[self.version]
    }

    /// `group/version` of the request.
    pub(crate) fn api_version(&self) -> String {
        let (group, version) = (&self.kind.name.group, &self.served().name);
        if group.is_empty() { version.clone() } else { format!("{group}/{version}") }
    }

    /// A parameter of the query; empty when absent.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter that is a version: absent, 0 for any, or a number.
    pub(crate) fn resource_version(&self) -> Result<Option<u64>, Failure> {
        match self.parameter("resourceVersion") {
            "" => Ok(None),
            text => {
                text.parse().map(Some).map_err(|_| Failure::bad_request(format!("invalid resource version: {text}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::kinds;

    fn parse(method: &str, uri: &str) -> Result<Route, Failure> {
        let kinds: Vec<_> = kinds::ipam().into_iter().map(Arc::new).collect();
        Route::parse(&kinds, &method.parse().unwrap(), &uri.parse().unwrap())
    }

    #[test]
    fn paths_lead_to_kinds_verbs_and_names() {
        let claims = "/apis/ipam.metal3.io/v1alpha1/namespaces/n/ipclaims";
        let table = [
            ("GET", format!("{claims}/a"), Verb::Get, "IPClaim", "n/a"),
            ("GET", format!("{claims}?watch=true&resourceVersion=5"), Verb::Watch, "IPClaim", "n/"),
            ("GET", "/apis/ipam.metal3.io/v1alpha1/ipclaims".to_owned(), Verb::List, "IPClaim", ""),
            ("POST", claims.to_owned(), Verb::Create, "IPClaim", "n/"),
            ("PATCH", format!("{claims}/a/status"), Verb::Patch, "IPClaim", "n/a"),
            ("DELETE", claims.to_owned(), Verb::DeleteCollection, "IPClaim", "n/"),
            ("GET", "/api/v1/namespaces/n".to_owned(), Verb::Get, "Namespace", "n"),
            ("GET", "/api/v1/namespaces".to_owned(), Verb::List, "Namespace", ""),
            ("PUT", "/api/v1/namespaces/n/secrets/s".to_owned(), Verb::Update, "Secret", "n/s"),
        ];
        for (method, uri, verb, kind, key) in table {
            let route = parse(method, &uri).unwrap();
            assert_eq!((route.verb, route.kind.name.kind.as_str()), (verb, kind), "{method} {uri}");
            assert_eq!(route.key.to_string(), key, "{method} {uri}");
        }
        let refused = [
            ("GET", "/apis/other.io/v1/things".to_owned(), 404),
            ("GET", "/apis/ipam.metal3.io/v1/ipclaims".to_owned(), 404),
            ("GET", "/apis/ipam.metal3.io/v1alpha1/ipclaims/a".to_owned(), 404),
            ("GET", format!("{claims}/a/scale"), 404),
            ("GET", "/api/v1/namespaces/n/secrets/s/status".to_owned(), 404),
            ("POST", format!("{claims}/a/status"), 405),
            ("DELETE", format!("{claims}/a/status"), 405),
            ("POST", format!("{claims}?dryRun=All"), 501),
        ];
        for (method, uri, code) in refused {
            assert_eq!(parse(method, &uri).unwrap_err().code, code, "{method} {uri}");
        }
    }
}
