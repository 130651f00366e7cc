//! For tests of this crate: a few objects behind kube's client, with the API server's preconditions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::client::Io;
use crate::webhook::review::merge;

/// A ConfigMap for tests.
pub(crate) fn config_map(name: &str, uid: &str, version: u64, data: &[(&str, &str)]) -> ConfigMap {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "ns", "name": name, "uid": uid, "resourceVersion": version.to_string() },
        "data": data.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect::<serde_json::Map<_, _>>(),
    }))
    .unwrap()
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Value>,
    pub(crate) requests: Vec<(String, String, Value)>,
    /// Answers of the next requests instead of the real ones: a status code.
    pub(crate) failures: Vec<u16>,
    /// Requests never get an answer.
    pub(crate) silent: bool,
    version: u64,
}

/// The API server. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn io(&self) -> Io {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.unwrap();
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                let silent = fake.0.lock().unwrap().silent;
                let (code, answer) = fake.answer(&parts.method, parts.uri.path(), &body);
                if silent {
                    tokio::time::sleep(Duration::from_hours(1)).await;
                }
                let code = StatusCode::from_u16(code).unwrap();
                let body = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        Io::new(Client::new(service, "default"))
    }

    pub(crate) fn put(&self, path: &str, object: &impl serde::Serialize) {
        self.0.lock().unwrap().objects.insert(path.to_owned(), serde_json::to_value(object).unwrap());
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    pub(crate) fn requests(&self) -> Vec<(String, String, Value)> {
        self.0.lock().unwrap().requests.clone()
    }

    fn answer(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        let mut state = self.0.lock().unwrap();
        state.requests.push((method.to_string(), path.to_owned(), body.clone()));
        if !state.failures.is_empty() {
            return failure(state.failures.remove(0), "Injected");
        }
        let object = path.trim_end_matches("/status").to_owned();
        match *method {
            Method::GET => state.objects.get(&object).map_or_else(|| failure(404, "NotFound"), |o| (200, o.clone())),
            Method::POST => state.create(path, body),
            Method::PATCH => state.patch(&object, body),
            _ => state.delete(&object, body),
        }
    }
}

impl State {
    fn next_version(&mut self) -> Value {
        self.version += 1;
        json!((1000 + self.version).to_string())
    }

    fn create(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists");
        }
        let mut object = body.clone();
        object["metadata"]["resourceVersion"] = self.next_version();
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        self.objects.insert(path, object.clone());
        (201, object)
    }

    fn patch(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let Some(mut object) = self.objects.get(path).cloned() else { return failure(404, "NotFound") };
        if differs(&object, &body["metadata"]) {
            return failure(409, "Conflict");
        }
        merge(&mut object, body.clone());
        object["metadata"]["resourceVersion"] = self.next_version();
        self.objects.insert(path.to_owned(), object.clone());
        (200, object)
    }

    fn delete(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let Some(object) = self.objects.get(path) else { return failure(404, "NotFound") };
        if differs(object, &body["preconditions"]) {
            return failure(409, "Conflict");
        }
        let object = self.objects.remove(path).unwrap_or_default();
        (200, object)
    }
}

fn differs(object: &Value, wanted: &Value) -> bool {
    ["uid", "resourceVersion"]
        .iter()
        .any(|name| wanted.get(name).is_some_and(|wanted| object["metadata"].get(name) != Some(wanted)))
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason,
    });
    (code, status)
}
