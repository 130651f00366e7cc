//! A small Ironic-like server: answers from a script, records what was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ironic::{Client, Config};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, path and query, without the list of fields.
    pub(crate) line: String,
    pub(crate) fields: Vec<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer of the script: status and body.
type Answer = (u16, String);
/// The script of a request line: its answers in turn; the last one stays.
type Script = Vec<(String, VecDeque<Answer>)>;

#[derive(Default)]
struct Inner {
    script: Script,
    asked: Vec<Asked>,
    gate: Option<Gate>,
}

#[derive(Clone)]
struct Gate {
    line: String,
    reached: Arc<tokio::sync::Notify>,
    open: Arc<tokio::sync::Notify>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Server {
    inner: Arc<Mutex<Inner>>,
    pub(crate) url: String,
}

/// Holds one request back.
pub(crate) struct Held {
    reached: Arc<tokio::sync::Notify>,
    open: Arc<tokio::sync::Notify>,
}

impl Held {
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }
    pub(crate) fn release(&self) {
        self.open.notify_one();
    }
}

impl Server {
    /// A server that speaks 1.1 to 1.`max` and offers one driver.
    pub(crate) async fn speaking(max: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { inner: Arc::default(), url };
        let router = server.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        server.on("GET /v1/", 200, &version(max));
        server.on("GET /v1/drivers", 200, &json!({"drivers": [{"name": "redfish", "hosts": ["c"]}]}));
        server
    }
    pub(crate) async fn start() -> Self {
        Self::speaking(115).await
    }
    /// Adds an answer to a request line; several are given in turn and the last one stays.
    pub(crate) fn on(&self, line: &str, status: u16, body: &Value) {
        self.on_text(line, status, &body.to_string());
    }
    pub(crate) fn on_text(&self, line: &str, status: u16, body: &str) {
        let mut inner = self.inner.lock().unwrap();
        let answer = (status, body.to_owned());
        match inner.script.iter_mut().find(|(known, _)| known == line) {
            Some((_, answers)) => answers.push_back(answer),
            None => inner.script.push((line.to_owned(), VecDeque::from([answer]))),
        }
    }
    /// Replaces all answers to a request line.
    pub(crate) fn now(&self, line: &str, status: u16, body: &Value) {
        self.inner.lock().unwrap().script.retain(|(known, _)| known != line);
        self.on(line, status, body);
    }
    /// Holds back the next request of this line until released. Its answer is chosen before it is held.
    pub(crate) fn hold(&self, line: &str) -> Held {
        let gate = Gate { line: line.to_owned(), reached: Arc::default(), open: Arc::default() };
        let held = Held { reached: gate.reached.clone(), open: gate.open.clone() };
        self.inner.lock().unwrap().gate = Some(gate);
        held
    }
    /// What answers, for another listener.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.inner.clone())
    }
    pub(crate) fn client(&self) -> Client {
        Client::new(Config::new(&self.url)).unwrap()
    }
    /// Request lines, without the version probe.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).filter(|line| line != "GET /v1/").collect()
    }
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }
    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }
}

/// The version document.
pub(crate) fn version(max: u16) -> Value {
    json!({"version": {"id": "v1", "min_version": "1.1", "version": format!("1.{max}"), "status": "CURRENT"}})
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let rest = |query: &str| query.split('&').filter(|pair| !pair.starts_with("fields=")).collect::<Vec<_>>().join("&");
    let query = parts.uri.query().map(rest).filter(|query| !query.is_empty());
    let line = format!("{} {}{}", parts.method, parts.uri.path(), query.map(|q| format!("?{q}")).unwrap_or_default());
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let list = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("fields="));
    let fields = list.map(|list| list.split("%2C").map(str::to_owned).collect()).unwrap_or_default();
    let (answer, gate) = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(Asked { line: line.clone(), fields, headers: parts.headers, body });
        let answers = inner.script.iter_mut().find(|(known, _)| *known == line).map(|(_, answers)| answers);
        let answer = match answers {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers[0].clone(),
            None => (404, json!({"error_message": {"faultstring": format!("no script for {line}")}}).to_string()),
        };
        let gate = if inner.gate.as_ref().is_some_and(|gate| gate.line == line) { inner.gate.take() } else { None };
        (answer, gate)
    };
    if let Some(gate) = gate {
        gate.reached.notify_one();
        gate.open.notified().await;
    }
    let (status, text) = answer;
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::from(text)).unwrap()
}
