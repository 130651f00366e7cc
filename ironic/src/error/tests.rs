use serde_json::json;

use super::*;

fn quoted(text: &str) -> String {
    json!({"error_message": json!({"debuginfo": null, "faultcode": "Client", "faultstring": text}).to_string()})
        .to_string()
}

#[test]
fn the_text_is_found_in_every_shape() {
    let table: [(String, &str); 14] = [
        (quoted("Node x is locked by host c."), "Node x is locked by host c."),
        (json!({"error_message": {"faultstring": "plain object", "faultcode": "Server"}}).to_string(), "plain object"),
        (json!({"error_message": "only text"}).to_string(), "only text"),
        (json!({"error_message": "{not json"}).to_string(), "{not json"),
        (json!({"error": {"message": "auth", "code": 401, "title": "Unauthorized"}}).to_string(), "auth"),
        (json!({"errors": [{"status": 406, "title": "Not Acceptable", "detail": "version"}]}).to_string(), "version"),
        (json!({"faultstring": "top"}).to_string(), "top"),
        (json!({"message": "m"}).to_string(), "m"),
        (json!({"error_message": {"faultstring": ""}, "title": "t"}).to_string(), "t"),
        ("<html><body><h1>502 Bad Gateway</h1>\n<hr>nginx</body></html>".into(), "502 Bad Gateway nginx"),
        ("plain text\n".into(), "plain text"),
        (String::new(), "no explanation (status 500)"),
        (json!({}).to_string(), "{}"),
        (json!({"error_message": null}).to_string(), "{\"error_message\":null}"),
    ];
    for (body, text) in table {
        assert_eq!(Error::answer("GET /v1/x", 500, body.as_bytes()).text, text, "{body}");
    }
}

#[test]
fn a_body_of_any_bytes_is_bounded_and_harmless() {
    let long = "x".repeat(100_000);
    assert_eq!(Error::answer("r", 500, long.as_bytes()).text.len(), 2000);
    assert!(!Error::answer("r", 500, &[0xff, 0xfe, 0x00]).text.is_empty());
    let deep = "[".repeat(2000);
    assert_eq!(Error::answer("r", 500, deep.as_bytes()).kind, ErrorKind::Server);
}

/// The texts are those that Ironic 39 produces.
#[test]
fn classes() {
    use ErrorKind as K;
    let table = [
        (409, "Node n is locked by host c, please retry after the current operation is completed.", K::Locked),
        (409, "A node with name a~b already exists.", K::Conflict),
        (409, "A port with MAC address 00:00:00:00:00:01 already exists.", K::Conflict),
        (409, "Node n is associated with instance i.", K::Conflict),
        (
            409,
            "Instance i is already associated with a node, it cannot be associated with this other node n",
            K::Conflict,
        ),
        (409, "Can not delete node \"n\" while it is in provision state \"cleaning\".", K::WrongState),
        (
            400,
            "The requested action \"provide\" can not be performed on node \"n\" while it is in state \"active\".",
            K::WrongState,
        ),
        (
            400,
            "The provisioning operation can't be performed on node n because it's in maintenance mode.",
            K::WrongState,
        ),
        (400, "Unacceptable parameters.", K::InvalidRequest),
        (
            400,
            "No valid host was found. Reason: No conductor service registered which supports driver redfish.",
            K::Busy,
        ),
        (
            404,
            "No valid host was found. Reason: No conductor service registered which supports driver redfish.",
            K::Busy,
        ),
        (404, "Node n could not be found.", K::NotFound),
        (401, "Authorization required", K::Unauthorized),
        (403, "Not authorized.", K::Unauthorized),
        (406, "Request not acceptable.", K::Version),
        (415, "Unsupported", K::InvalidRequest),
        (429, "slow down", K::Busy),
        (503, "Requested action cannot be performed due to lack of free conductor workers.", K::Busy),
        (500, "database is locked", K::Server),
        (502, "Bad Gateway", K::Unreachable),
        (504, "Gateway Timeout", K::Timeout),
        (304, "", K::Malformed),
    ];
    for (status, text, kind) in table {
        assert_eq!(Error::answer("r", status, quoted(text).as_bytes()).kind, kind, "{status} {text}");
    }
}
