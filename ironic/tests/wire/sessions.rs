//! Versions, credentials, failures below HTTP.

use std::time::Duration;

use ironic::{Auth, Client, Config, ErrorKind, Source};
use serde_json::json;

use crate::server::{Server, version};

#[tokio::test]
async fn version_documents() {
    let root = |list: serde_json::Value| json!({"name": "OpenStack Ironic API", "versions": list});
    let one = |max: &str| json!({"id": "v1", "min_version": "1.1", "version": max});
    let with_default = json!({"default_version": one("1.109"), "versions": [one("1.109")]});
    let table = [
        (version(115), Ok((115, 110))),
        (version(110), Ok((110, 110))),
        (version(89), Ok((89, 89))),
        (version(88), Err(ErrorKind::Version)),
        (root(json!([one("1.95")])), Ok((95, 95))),
        (with_default, Ok((109, 109))),
        (root(json!([one("1.95"), one("1.96")])), Err(ErrorKind::Malformed)),
        (root(json!([])), Err(ErrorKind::Malformed)),
        (json!({"version": one("2.3")}), Err(ErrorKind::Malformed)),
        (json!({"hello": "world"}), Err(ErrorKind::Malformed)),
        (json!([]), Err(ErrorKind::Malformed)),
    ];
    for (document, wanted) in table {
        let server = Server::start().await;
        server.now("GET /v1/", 200, &document);
        let got = server.client().versions().await.map(|v| (v.max, v.used)).map_err(|error| error.kind);
        assert_eq!(got, wanted, "{document}");
    }
}

#[tokio::test]
async fn endpoints_with_and_without_version() {
    let server = Server::start().await;
    server.on("GET /ironic/v1/", 200, &version(100));
    for suffix in ["", "/", "/v1", "/v1/", "/v1/?x=1"] {
        let client = Client::new(Config::new(format!("{}{suffix}", server.url))).unwrap();
        assert_eq!(client.endpoint(), format!("{}/v1/", server.url));
        client.versions().await.unwrap();
    }
    let below = Client::new(Config::new(format!("{}/ironic/", server.url))).unwrap();
    assert_eq!(below.versions().await.unwrap().max, 100);
    for wrong in ["", "ironic", "ftp://x", "http://", "127.0.0.1:6385"] {
        assert_eq!(Client::new(Config::new(wrong)).unwrap_err().kind, ErrorKind::Setup, "{wrong}");
    }
}

#[tokio::test]
async fn credentials_go_with_every_request_but_the_probe() {
    let server = Server::start().await;
    let auth = Auth::Basic { username: Source::Inline(" user\n".into()), password: Source::Inline("pa:ss\n".into()) };
    let config = Config { auth, ..Config::new(&server.url) };
    assert!(!format!("{config:?}").contains("pa:ss"));
    Client::new(config).unwrap().drivers().await.unwrap();
    let headers: Vec<_> = server.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(headers, ["", "Basic dXNlcjpwYTpzcw=="]);

    server.now("GET /v1/drivers", 401, &json!({"error": {"message": "Incorrect username or password", "code": 401}}));
    let error = server.client().drivers().await.unwrap_err();
    assert_eq!((error.kind, error.text.as_str()), (ErrorKind::Unauthorized, "Incorrect username or password"));
}

#[tokio::test]
async fn bad_credential_files_are_named() {
    let server = Server::start().await;
    let from = |username: Source| {
        let auth = Auth::Basic { username, password: Source::Inline("p".into()) };
        Client::new(Config { auth, ..Config::new(&server.url) }).unwrap()
    };
    let missing = from(Source::File("/nonexistent/username".into())).drivers().await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Setup);
    assert!(missing.text.contains("/nonexistent/username"), "{missing}");
    let empty = from(Source::Inline("\n".into())).drivers().await.unwrap_err();
    assert_eq!(empty.kind, ErrorKind::Setup);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nobody_listens_and_nobody_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = Config { timeout: Duration::from_millis(200), ..Config::new(&url) };
    let client = Client::new(config).unwrap();
    // Bound but never accepted: the connection stands, no answer comes.
    assert_eq!(client.drivers().await.unwrap_err().kind, ErrorKind::Timeout);
    drop(listener);
    let error = client.drivers().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.text.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn after_an_outage_the_version_is_asked_again() {
    let server = Server::start().await;
    let client = server.client();
    assert_eq!(client.versions().await.unwrap().used, 110);
    client.drivers().await.unwrap();
    assert_eq!(server.asked().iter().filter(|asked| asked.line == "GET /v1/").count(), 1);
    // A proxy answers for an Ironic that is being replaced.
    server.now("GET /v1/drivers", 502, &json!("bad gateway"));
    assert_eq!(client.drivers().await.unwrap_err().kind, ErrorKind::Unreachable);
    server.now("GET /v1/", 200, &version(95));
    server.now("GET /v1/drivers", 200, &json!({"drivers": []}));
    client.drivers().await.unwrap();
    assert_eq!(client.versions().await.unwrap().used, 95);
}
