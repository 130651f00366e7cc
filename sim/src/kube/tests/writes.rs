use serde_json::{Value, json};

use super::{CLAIMS, POOLS, ask, claim, must, pool, server};

fn causes(answer: &Value) -> Vec<(String, String)> {
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    let text = |cause: &Value, name: &str| cause[name].as_str().unwrap().to_owned();
    causes.iter().map(|cause| (text(cause, "reason"), text(cause, "field"))).collect()
}

#[tokio::test]
async fn a_new_object_gets_what_the_server_gives_and_loses_what_the_schema_does_not_know() {
    let server = server();
    let mut body = pool("p");
    body["spec"]["unknown"] = json!(1);
    body["status"] = json!({ "indexes": { "a": "10.0.0.1" } });
    body["metadata"]["uid"] = json!("mine");
    body["metadata"]["generation"] = json!(7);
    let made = must(&server, "POST", POOLS, body).await;
    assert_eq!(
        made["spec"],
        json!({ "namePrefix": "x", "pools": [{ "start": "10.0.0.1" }], "allocationStrategy": "sequential" })
    );
    assert_eq!(made.get("status"), None);
    let metadata = &made["metadata"];
    assert_eq!((&metadata["generation"], &metadata["namespace"]), (&json!(1), &json!("default")));
    assert_eq!(metadata["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_ne!(metadata["uid"], "mine");
    assert_eq!(must(&server, "GET", &format!("{POOLS}/p"), Value::Null).await, made);
    let (code, answer) = ask(&server, "POST", POOLS, pool("p")).await;
    assert_eq!((code, &answer["reason"]), (409, &json!("AlreadyExists")));
    assert_eq!(answer["details"], json!({ "name": "p", "group": "ipam.metal3.io", "kind": "ippools" }));
}

#[tokio::test]
async fn bad_objects_are_refused_with_every_cause() {
    let server = server();
    let mut body = pool("P_1");
    body["spec"] = json!({ "prefix": 129, "pools": [{ "start": "10.0.0.256" }], "gateway": 5 });
    let (code, answer) = ask(&server, "POST", POOLS, body).await;
    assert_eq!((code, &answer["reason"]), (422, &json!("Invalid")));
    let cause = |reason: &str, field: &str| (reason.to_owned(), field.to_owned());
    let expected = [
        cause("FieldValueInvalid", "metadata.name"),
        cause("FieldValueInvalid", "spec.pools[0].start"),
        cause("FieldValueInvalid", "spec.prefix"),
        cause("FieldValueRequired", "spec.namePrefix"),
        cause("FieldValueTypeInvalid", "spec.gateway"),
    ];
    let mut found = causes(&answer);
    found.sort();
    assert_eq!(found, expected);
    let elsewhere = json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "a", "namespace": "b" } });
    assert_eq!(ask(&server, "POST", POOLS, elsewhere).await.0, 400);
    let (code, answer) = ask(&server, "POST", &POOLS.replace("default", "none"), pool("p")).await;
    assert_eq!((code, &answer["details"]), (404, &json!({ "name": "none", "kind": "namespaces" })));
}

#[tokio::test]
async fn spec_and_status_are_written_apart_and_only_changes_count() {
    let server = server();
    let path = format!("{POOLS}/p");
    let made = must(&server, "POST", POOLS, pool("p")).await;
    let same =
        must(&server, "PATCH", &path, json!({ "spec": { "namePrefix": "x" }, "status": { "indexes": {} } })).await;
    assert_eq!(same, made, "a write of nothing new changes nothing");
    let both = json!({ "status": { "indexes": { "a": "10.0.0.1" } }, "spec": { "namePrefix": "y" } });
    let told = must(&server, "PATCH", &format!("{path}/status"), both).await;
    assert_eq!((&told["spec"], &told["metadata"]["generation"]), (&made["spec"], &json!(1)));
    assert_eq!(told["status"]["indexes"]["a"], "10.0.0.1");
    let changed = must(&server, "PATCH", &path, json!({ "spec": { "namePrefix": "y" }, "status": null })).await;
    assert_eq!((&changed["status"], &changed["metadata"]["generation"]), (&told["status"], &json!(2)));
    let labelled = must(&server, "PATCH", &path, json!({ "metadata": { "labels": { "a": "b" } } })).await;
    assert_eq!(labelled["metadata"]["generation"], json!(2));
    let (code, answer) =
        ask(&server, "PATCH", &format!("{path}/status"), json!({ "status": { "indexes": { "a": "x" } } })).await;
    assert_eq!((code, causes(&answer)), (422, vec![("FieldValueInvalid".to_owned(), "status.indexes.a".to_owned())]));
}

#[tokio::test]
async fn preconditions_hold_where_the_api_server_looks_at_them() {
    let server = server();
    let path = format!("{POOLS}/p");
    let made = must(&server, "POST", POOLS, pool("p")).await;
    let version = made["metadata"]["resourceVersion"].clone();
    must(&server, "PATCH", &path, json!({ "metadata": { "labels": { "a": "b" } } })).await;
    for sub in ["", "/status"] {
        let stale = json!({ "metadata": { "resourceVersion": version }, "status": { "indexes": {} } });
        let (code, answer) = ask(&server, "PATCH", &format!("{path}{sub}"), stale).await;
        assert_eq!((code, &answer["reason"]), (409, &json!("Conflict")), "{sub}");
    }
    let other = json!({ "metadata": { "uid": "other" }, "status": { "indexes": { "a": "10.0.0.1" } } });
    let (code, answer) = ask(&server, "PATCH", &path, other.clone()).await;
    assert_eq!(code, 422, "a uid in a patch is a change of the uid: {answer}");
    assert_eq!(
        ask(&server, "PATCH", &format!("{path}/status"), other).await.0,
        200,
        "metadata of status is not looked at"
    );
    let (code, _) = ask(&server, "PUT", &path, pool("p")).await;
    assert_eq!(code, 422, "an update needs a version");
    for condition in [json!({ "uid": "other" }), json!({ "resourceVersion": version })] {
        let (code, answer) = ask(&server, "DELETE", &path, json!({ "preconditions": condition })).await;
        assert_eq!((code, &answer["details"]["kind"]), (409, &json!("IPPool")));
    }
    let now = must(&server, "GET", &path, Value::Null).await;
    must(&server, "PUT", &path, now).await;
}

#[tokio::test]
async fn finalizers_hold_a_deleted_object_until_the_last_one_goes() {
    let server = server();
    let path = format!("{CLAIMS}/a");
    let mut body = claim("a");
    body["metadata"]["finalizers"] = json!(["x.io/one", "x.io/two"]);
    must(&server, "POST", CLAIMS, body).await;
    let held = must(&server, "DELETE", &path, Value::Null).await;
    assert_eq!(held["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(
        (&held["metadata"]["deletionGracePeriodSeconds"], &held["metadata"]["generation"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(must(&server, "DELETE", &path, Value::Null).await, held, "twice is once");
    let (_, refused) = ask(&server, "POST", CLAIMS, claim("a")).await;
    assert!(refused["message"].as_str().unwrap().starts_with("object is being deleted"), "{refused}");
    let added = json!({ "metadata": { "finalizers": ["x.io/one", "x.io/three"] } });
    let (code, answer) = ask(&server, "PATCH", &path, added).await;
    assert_eq!(code, 422);
    assert_eq!(causes(&answer)[0], ("FieldValueForbidden".to_owned(), "metadata.finalizers".to_owned()));
    must(&server, "PATCH", &path, json!({ "metadata": { "finalizers": ["x.io/two"] } })).await;
    let last = must(&server, "PATCH", &path, json!({ "metadata": { "finalizers": null } })).await;
    assert_eq!(last["metadata"].get("finalizers"), None);
    assert_eq!(ask(&server, "GET", &path, Value::Null).await.0, 404);
    let gone = ask(&server, "DELETE", &path, Value::Null).await;
    assert_eq!((gone.0, &gone.1["details"]["kind"]), (404, &json!("ipclaims")));
}

#[tokio::test]
async fn names_are_generated_and_runs_repeat() {
    let name = async |seed: u64| {
        let server = server().with_seed(seed);
        let mut body = claim("");
        body["metadata"] = json!({ "generateName": "a-" });
        let made = must(&server, "POST", CLAIMS, body).await;
        (made["metadata"]["name"].as_str().unwrap().to_owned(), made["metadata"]["uid"].clone())
    };
    assert_eq!(name(1).await, name(1).await);
    assert_ne!(name(1).await, name(2).await);
    assert_eq!((name(1).await.0.len(), &name(1).await.0[..2]), (7, "a-"));
}

#[tokio::test]
async fn lists_go_by_pages_of_one_version_and_by_selectors() {
    let server = server();
    for name in ["a", "b", "c", "d"] {
        let mut body = claim(name);
        body["metadata"]["labels"] = json!({ "odd": if matches!(name, "a" | "c") { "yes" } else { "no" } });
        must(&server, "POST", CLAIMS, body).await;
    }
    let names = |list: &Value| {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect::<String>()
    };
    let first = must(&server, "GET", &format!("{CLAIMS}?limit=3"), Value::Null).await;
    assert_eq!((names(&first).as_str(), &first["metadata"]["remainingItemCount"]), ("abc", &json!(1)));
    must(&server, "DELETE", &format!("{CLAIMS}/d"), Value::Null).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = must(&server, "GET", &format!("{CLAIMS}?limit=3&continue={token}"), Value::Null).await;
    assert_eq!(names(&rest), "d", "the pages show one moment");
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let then =
        must(&server, "GET", &format!("{CLAIMS}?resourceVersion={version}&resourceVersionMatch=Exact"), Value::Null)
            .await;
    assert_eq!(names(&then), "abcd");
    let odd = must(&server, "GET", &format!("{CLAIMS}?labelSelector=odd%3Dyes&resourceVersion=0"), Value::Null).await;
    assert_eq!(names(&odd), "ac");
    server.compact();
    assert_eq!(ask(&server, "GET", &format!("{CLAIMS}?limit=3&continue={token}"), Value::Null).await.0, 410);
    assert_eq!(ask(&server, "GET", &format!("{CLAIMS}?resourceVersion=9999"), Value::Null).await.0, 504);
    let all = must(&server, "DELETE", &format!("{CLAIMS}?labelSelector=odd%3Dyes"), Value::Null).await;
    assert_eq!(names(&all), "ac");
    assert_eq!(names(&must(&server, "GET", CLAIMS, Value::Null).await), "b");
}
