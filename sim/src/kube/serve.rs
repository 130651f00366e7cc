//! The way of one request: hook, work, log, hook, answer.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use kit::key::Key;
use serde_json::{Value, json};

use super::failure::Failure;
use super::intercept::{Outcome, RequestInfo, Verb, Verdict};
use super::log;
use super::route::Route;
use super::server::Server;
use super::state::{Origin, State};
use super::{delete, read, watch, write};

/// A broken connection, as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer (simulated)")]
pub struct ConnectionReset;

/// What the requests of one client go through; see [`Server::service`].
#[derive(Clone)]
pub struct Service {
    pub(crate) server: Server,
    pub(crate) client: Arc<str>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("client", &self.client).finish_non_exhaustive()
    }
}

impl tower::Service<Request<kube::client::Body>> for Service {
    type Response = Response<Body>;
    type Error = ConnectionReset;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.map_err(|_| ConnectionReset)?;
            service.serve(&parts, &bytes).await
        })
    }
}

/// Which part of objects a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of them.
    Full,
    /// Their metadata.
    Metadata,
}

impl Form {
    fn asked(parts: &Parts) -> Self {
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accept.contains("as=PartialObjectMetadata") { Self::Metadata } else { Self::Full }
    }

    /// An object or list in this form; a Status stays one.
    pub(crate) fn of(self, object: &Value) -> Value {
        let partial = |object: &Value| {
            json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            })
        };
        match (self, object["items"].as_array()) {
            (Self::Full, _) => object.clone(),
            (Self::Metadata, _) if object["kind"] == "Status" => object.clone(),
            (Self::Metadata, None) => partial(object),
            (Self::Metadata, Some(items)) => json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
                "items": items.iter().map(partial).collect::<Vec<_>>(),
            }),
        }
    }
}

impl Service {
    async fn serve(&self, parts: &Parts, bytes: &[u8]) -> Result<Response<Body>, ConnectionReset> {
        let server = &self.server;
        let kinds = server.lock().kinds.clone();
        let route = match Route::parse(&kinds, &parts.method, &parts.uri) {
            Ok(route) => route,
            Err(failure) => return Ok(answer(Err(failure))),
        };
        let info = self.info(&route, bytes);
        let hook = server.lock().intercept.clone();
        let verdict = hook.as_ref().map_or(Verdict::Pass, |hook| hook.before(&info));
        server.log(&info, &verdict);
        let prevented = match &verdict {
            Verdict::Answer(failure) => Some(Ok(answer(Err(failure.clone())))),
            Verdict::Reset => Some(Err(ConnectionReset)),
            Verdict::Never => Some(std::future::pending().await),
            Verdict::Late(time) => {
                tokio::time::sleep(*time).await;
                None
            }
            Verdict::Pass
            | Verdict::CommitThenReset
            | Verdict::CommitThenNever
            | Verdict::CommitThenAnswer(_)
            | Verdict::CommitThenLate(_) => None,
        };
        if let Some(prevented) = prevented {
            if let Some(hook) = hook {
                hook.after(&info, &Outcome::Prevented);
            }
            return prevented;
        }
        let (response, outcome) = self.work(parts, &route, &info, bytes);
        server.log_outcome(&info, &outcome);
        if let Some(hook) = hook {
            hook.after(&info, &outcome);
        }
        match verdict {
            Verdict::CommitThenReset => Err(ConnectionReset),
            Verdict::CommitThenNever => std::future::pending().await,
            Verdict::CommitThenAnswer(failure) => Ok(answer(Err(failure))),
            Verdict::CommitThenLate(time) => {
                tokio::time::sleep(time).await;
                Ok(response)
            }
            Verdict::Pass | Verdict::Late(_) | Verdict::Answer(_) | Verdict::Reset | Verdict::Never => Ok(response),
        }
    }

    fn info(&self, route: &Route, bytes: &[u8]) -> RequestInfo {
        let body: Option<Value> = serde_json::from_slice(bytes).ok();
        let mut key = route.key.clone();
        if route.verb == Verb::Create
            && let Some(name) = body.as_ref().and_then(|body| body["metadata"]["name"].as_str())
        {
            key = Key::new(key.namespace, name);
        }
        let mut state = self.server.lock();
        let write_index = route.verb.is_write().then_some(state.writes);
        state.writes += u64::from(write_index.is_some());
        let index = state.asked;
        state.asked += 1;
        RequestInfo {
            index,
            write_index,
            client: self.client.clone(),
            verb: route.verb,
            kind: route.kind.name.clone(),
            key,
            subresource: route.subresource.clone(),
            body: body.map(Arc::new),
        }
    }

    fn work(&self, parts: &Parts, route: &Route, info: &RequestInfo, bytes: &[u8]) -> (Response<Body>, Outcome) {
        let form = Form::asked(parts);
        if route.verb == Verb::Watch {
            return match watch::start(&self.server, &self.client, route, form) {
                Ok(body) => (response(StatusCode::OK, body), Outcome::Answered(200, None)),
                Err(failure) => failed(failure),
            };
        }
        let mut state = self.server.lock();
        let origin = Origin {
            request: Some(info.index),
            client: self.client.clone(),
            verb: route.verb,
            subresource: route.subresource.clone(),
        };
        let before = state.version;
        let done = perform(&mut state, parts, route, &origin, bytes);
        let changed = state.version != before;
        drop(state);
        if changed {
            self.server.tick();
        }
        match done {
            Ok((code, body)) => {
                let body = form.of(&body);
                let response = answer(Ok((code, &body)));
                (response, Outcome::Answered(code, Some(Arc::new(body))))
            }
            Err(failure) => failed(failure),
        }
    }
}

fn perform(
    state: &mut State,
    parts: &Parts,
    route: &Route,
    origin: &Origin,
    bytes: &[u8],
) -> Result<(u16, Value), Failure> {
    let ok = |object: Arc<Value>| (200, write::shown(route, &object));
    Ok(match route.verb {
        Verb::Get => (200, read::get(state, route)?),
        Verb::List => (200, read::list(state, route)?),
        Verb::Create => (201, write::shown(route, &*write::create(state, route, origin, bytes)?)),
        Verb::Update => {
            let (code, object) = write::update(state, route, origin, bytes)?;
            (code, write::shown(route, &object))
        }
        Verb::Patch => {
            let format = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if format.is_none_or(|format| !format.starts_with("application/merge-patch+json")) {
                return Err(Failure::not_simulated("patches other than merge patches"));
            }
            ok(write::apply(state, route, origin, bytes)?)
        }
        Verb::Delete => (200, delete::delete(state, route, origin, bytes)?),
        Verb::DeleteCollection => (200, delete::delete_all(state, route, origin, bytes)?),
        Verb::Watch => return Err(Failure::not_simulated("a watch here")),
    })
}

fn failed(failure: Failure) -> (Response<Body>, Outcome) {
    let outcome = Outcome::Answered(failure.code, Some(Arc::new(failure.status())));
    (answer(Err(failure)), outcome)
}

fn answer(done: Result<(u16, &Value), Failure>) -> Response<Body> {
    match done {
        Ok((code, body)) => response(status(code), Body::from(body.to_string())),
        Err(failure) if failure.plain => {
            let mut plain = response(status(failure.code), Body::from(failure.message));
            plain.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
            plain
        }
        Err(failure) => response(status(failure.code), Body::from(failure.status().to_string())),
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn response(code: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

impl Server {
    fn log(&self, info: &RequestInfo, verdict: &Verdict) {
        let mut state = self.lock();
        let request =
            log::Request { at: state.now(), info: info.clone(), verdict: verdict.clone(), code: None, reason: None };
        // Hooks may let requests of others pass meanwhile: each has its place.
        state.requests.insert(info.index, request);
    }

    fn log_outcome(&self, info: &RequestInfo, outcome: &Outcome) {
        let Outcome::Answered(code, body) = outcome else { return };
        if let Some(request) = self.lock().requests.get_mut(&info.index) {
            request.code = Some(*code);
            let failed = body.as_ref().filter(|_| *code >= 400);
            request.reason = failed.and_then(|body| body["reason"].as_str().map(ToOwned::to_owned));
        }
    }
}
