//! The router driven directly, and the certificate files.

use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt;

use super::review::Request;
use super::*;

/// Type of the record by which a TLS server refuses what is none.
const TLS_ALERT: u8 = 21;

/// Refuses the value "bad"; refuses changes of "fixed"; defaults "x"; refuses to delete "kept".
struct Rules;

impl Check<ConfigMap> for Rules {
    fn create(&self, new: &ConfigMap) -> Verdict {
        let mut violations = Violations::new();
        for (name, value) in new.data.iter().flatten() {
            if value == "bad" {
                violations.invalid(format!("data.{name}"), "must not be bad");
            }
        }
        Verdict::from(violations).warn("looked at")
    }
    fn update(&self, old: &ConfigMap, new: &ConfigMap) -> Verdict {
        let fixed = |object: &ConfigMap| object.data.as_ref().and_then(|data| data.get("fixed").cloned());
        let same = fixed(old) == fixed(new);
        if same { self.create(new) } else { Verdict::denied("data.fixed", "cannot change") }
    }
    fn delete(&self, old: &ConfigMap) -> Verdict {
        let kept = old.metadata.name.as_deref() == Some("kept");
        if kept { Verdict::denied("", "is kept") } else { Verdict::allowed() }
    }
}

fn to_v2(mut object: Value, desired: &str) -> Result<Value, String> {
    if desired != "g/v2" {
        return Err(format!("unknown version {desired}"));
    }
    let old = object["spec"]["old"].take();
    object["spec"] = serde_json::json!({ "new": old });
    object["metadata"] = serde_json::json!({ "labels": { "kept": "yes" } });
    Ok(object)
}

async fn post(path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let hooks = Hooks::new()
        .validate("/validate", Rules)
        .default_with("/default", |object: &mut ConfigMap| {
            object.data.get_or_insert_default().entry("x".to_owned()).or_insert_with(|| "d".to_owned());
        })
        .convert("g", "Thing", to_v2);
    let request = HttpRequest::post(path).header("content-type", "application/json").body(Body::from(body)).unwrap();
    let response = hooks.router().oneshot(request).await.unwrap();
    let code = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn review(path: &str, operation: &str, object: Value, old: Value) -> Value {
    let body = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "42", "operation": operation, "name": "n", "object": object, "oldObject": old,
            "kind": { "group": "", "version": "v1", "kind": "ConfigMap" },
        },
    });
    let (code, answer) = post(path, serde_json::to_vec(&body).unwrap()).await;
    assert_eq!(
        (code, &answer["response"]["uid"], &answer["kind"]),
        (StatusCode::OK, &"42".into(), &"AdmissionReview".into())
    );
    answer["response"].clone()
}

fn map(data: &Value) -> Value {
    serde_json::json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "n" }, "data": data })
}

#[tokio::test]
async fn all_violations_are_told_at_once_with_their_fields() {
    let fine = review("/validate", "CREATE", map(&serde_json::json!({ "a": "good" })), Value::Null).await;
    assert_eq!((&fine["allowed"], &fine["warnings"][0]), (&true.into(), &"looked at".into()));
    let refused = review("/validate", "CREATE", map(&serde_json::json!({ "a": "bad", "b": "bad" })), Value::Null).await;
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&false.into(), &422.into()));
    assert_eq!(
        refused["status"]["message"],
        "ConfigMap. \"n\" is invalid: [data.a: must not be bad, data.b: must not be bad]"
    );
    assert_eq!(refused["status"]["details"]["causes"][1]["field"], "data.b");
}

#[tokio::test]
async fn updates_compare_and_deletions_look_at_the_old_object() {
    let (one, two) = (serde_json::json!({ "fixed": "1" }), serde_json::json!({ "fixed": "2" }));
    let refused = review("/validate", "UPDATE", map(&two), map(&one)).await;
    assert_eq!(refused["status"]["message"], "ConfigMap. \"n\" is invalid: data.fixed: cannot change");
    let mut leaving = map(&two);
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(review("/validate", "UPDATE", leaving, map(&one)).await["allowed"], true, "finalizers must go");
    let broken = map(&serde_json::json!("no map"));
    assert_eq!(review("/validate", "UPDATE", map(&one), broken.clone()).await["allowed"], true, "can be mended");
    assert_eq!(review("/validate", "DELETE", Value::Null, broken).await["allowed"], true, "can be deleted");
    let mut kept = map(&one);
    kept["metadata"]["name"] = "kept".into();
    assert_eq!(review("/validate", "DELETE", Value::Null, kept).await["allowed"], false);
}

#[tokio::test]
async fn an_object_of_the_wrong_shape_is_refused_with_the_field_named() {
    let refused = review("/validate", "CREATE", map(&serde_json::json!({ "a": "x", "b": 7 })), Value::Null).await;
    let cause = &refused["status"]["details"]["causes"][0];
    assert_eq!((&refused["allowed"], &cause["field"]), (&false.into(), &"data.b".into()));
    assert!(cause["message"].as_str().unwrap().contains("invalid type"), "{cause}");
}

#[tokio::test]
async fn defaults_are_a_patch_of_what_is_missing_and_unknown_members_stay() {
    let mut object = map(&serde_json::json!({ "a": "1" }));
    object["unknown"] = 5.into();
    let answer = review("/default", "CREATE", object, Value::Null).await;
    let patch: k8s_openapi::ByteString = serde_json::from_value(answer["patch"].clone()).unwrap();
    let patch: Value = serde_json::from_slice(&patch.0).unwrap();
    assert_eq!(patch, serde_json::json!([{ "op": "add", "path": "/data/x", "value": "d" }]));
    let again = review("/default", "CREATE", map(&serde_json::json!({ "x": "own" })), Value::Null).await;
    assert!(again.get("patch").is_none());
}

#[tokio::test]
async fn conversion_is_all_or_nothing_and_keeps_metadata() {
    let convert = async |objects: Value, desired: &str| {
        let body = serde_json::json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": { "uid": "7", "desiredAPIVersion": desired, "objects": objects },
        });
        post("/convert", serde_json::to_vec(&body).unwrap()).await.1["response"].clone()
    };
    let thing = |version: &str| {
        serde_json::json!({ "apiVersion": version, "kind": "Thing", "spec": { "old": 1 },
            "metadata": { "name": "t", "uid": "u", "labels": { "a": "b" } } })
    };
    let done = convert(serde_json::json!([thing("g/v1"), thing("g/v2")]), "g/v2").await;
    assert_eq!(done["result"]["status"], "Success");
    let first = &done["convertedObjects"][0];
    assert_eq!((&first["apiVersion"], &first["spec"]["new"]), (&"g/v2".into(), &1.into()));
    assert_eq!(first["metadata"], serde_json::json!({ "name": "t", "uid": "u", "labels": { "kept": "yes" } }));
    assert_eq!(done["convertedObjects"][1], thing("g/v2"));
    let failed = convert(serde_json::json!([thing("g/v1")]), "g/v3").await;
    assert_eq!(failed["result"]["message"], "Thing t: unknown version g/v3");
    assert_eq!(failed["convertedObjects"], serde_json::json!([]));
}

#[tokio::test]
async fn a_body_of_several_mebibytes_is_taken_and_garbage_is_refused() {
    let long = "x".repeat(4 << 20);
    assert_eq!(
        review("/validate", "CREATE", map(&serde_json::json!({ "a": long })), Value::Null).await["allowed"],
        true
    );
    assert_eq!(post("/validate", b"garbage".to_vec()).await.0, StatusCode::BAD_REQUEST);
}

#[test]
fn what_is_no_admission_operation_is_allowed() {
    let request = Request { operation: "CONNECT".to_owned(), ..Request::default() };
    assert!(review::validate(&request, &Rules).verdict.violations.is_empty());
}

#[tokio::test]
async fn a_changed_certificate_is_taken_over_and_a_broken_one_is_not() {
    use axum_server::tls_rustls::RustlsConfig;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = std::env::temp_dir().join(format!("kit-cert-{}", std::process::id()));
    let names = ["svc.ns.svc".to_owned()];
    server::self_sign(&dir, &names).unwrap();
    let read = || (std::fs::read(dir.join("tls.crt")).unwrap(), std::fs::read(dir.join("tls.key")).unwrap());
    let mut known = read();
    let config = RustlsConfig::from_pem(known.0.clone(), known.1.clone()).await.unwrap();
    let first = config.get_inner();
    server::refresh(&dir, &mut known, &config).await;
    assert!(Arc::ptr_eq(&first, &config.get_inner()), "nothing changed");
    std::fs::write(dir.join("tls.crt"), "half written").unwrap();
    server::refresh(&dir, &mut known, &config).await;
    assert!(Arc::ptr_eq(&first, &config.get_inner()), "the old one stays in use");
    server::self_sign(&dir, &names).unwrap();
    server::refresh(&dir, &mut known, &config).await;
    assert!(!Arc::ptr_eq(&first, &config.get_inner()));
    assert_eq!(known, read());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_process_is_not_ready_before_its_webhooks_answer() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = std::env::temp_dir().join(format!("kit-serve-{}", std::process::id()));
    let listener = crate::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (health, stop) = (crate::serve::Health::default(), tokio_util::sync::CancellationToken::new());
    let opening = health.waiting("the webhook server".to_owned());
    let served = tokio::spawn(server::serve_at(listener, dir.clone(), Hooks::new(), opening, stop.clone()));
    tokio::task::yield_now().await;
    assert_eq!(health.open(), ["the webhook server"], "there is no certificate yet");
    server::self_sign(&dir, &["svc.ns.svc".to_owned()]).unwrap();
    let answer = async {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"no TLS\r\n\r\n").await.unwrap();
        client.read_u8().await
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(30), answer).await.unwrap();
    assert_eq!(answer.unwrap(), TLS_ALERT);
    assert!(health.open().is_empty(), "ready before the first answer");
    stop.cancel();
    served.await.unwrap().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}
