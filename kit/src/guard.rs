//! Who may read the diagnostics: a bearer token that the API server knows, of somebody who may `get` the path.
//!
//! The same as the Go managers do: a TokenReview tells who asks, a SubjectAccessReview whether they may. The answer is
//! kept for a minute, so that a scraper does not cost two requests each time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum_server::tls_rustls::RustlsConfig;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Io;
use crate::listen::{listen, self_signed, serve_tls};

/// How long an answer of the API server counts.
const KEEP: Duration = Duration::from_mins(1);
/// How long the API server may take for both reviews.
const PATIENCE: Duration = Duration::from_secs(10);
/// Open requests at shutdown get this long.
const GRACE: Duration = Duration::from_secs(2);
/// Answers kept at most; more are forgotten together, which only costs requests.
const ENTRIES: usize = 256;

/// Whether somebody may read a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// They may.
    Granted,
    /// Nobody knows this token.
    Unknown,
    /// They are known, but may not.
    Forbidden,
}

impl Access {
    fn refusal(self) -> Option<(StatusCode, &'static str)> {
        match self {
            Self::Granted => None,
            Self::Unknown => Some((StatusCode::UNAUTHORIZED, "the bearer token is not known to the API server\n")),
            Self::Forbidden => {
                Some((StatusCode::FORBIDDEN, "a ClusterRole must allow \"get\" on this path (nonResourceURLs)\n"))
            }
        }
    }
}

type Answers = BTreeMap<(String, String), (Access, Instant)>;

/// Asks the API server about tokens. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    io: Io,
    answers: Arc<Mutex<Answers>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The answers are keyed by tokens.
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that asks this API server.
    pub fn new(io: Io) -> Self {
        Self { io, answers: Arc::default() }
    }

    /// The router behind this guard.
    pub fn protect(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, check))
    }

    async fn access(&self, token: &str, path: &str) -> kube::Result<Access> {
        let key = (token.to_owned(), path.to_owned());
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let access = self.ask(token, path).await?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ENTRIES {
            answers.clear();
        }
        answers.insert(key, (access, Instant::now()));
        Ok(access)
    }

    fn known(&self, key: &(String, String)) -> Option<Access> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).filter(|(_, since)| since.elapsed() < KEEP).map(|(access, _)| *access)
    }

    async fn ask(&self, token: &str, path: &str) -> kube::Result<Access> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned(), audiences: None },
            ..TokenReview::default()
        };
        let review = Api::<TokenReview>::all(self.io.client()).create(&PostParams::default(), &review).await?;
        let status = review.status.unwrap_or_default();
        let (true, Some(user)) = (status.authenticated.unwrap_or_default(), status.user) else {
            return Ok(Access::Unknown);
        };
        let wish = NonResourceAttributes { path: Some(path.to_owned()), verb: Some("get".to_owned()) };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                non_resource_attributes: Some(wish),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let review = Api::<SubjectAccessReview>::all(self.io.client()).create(&PostParams::default(), &review).await?;
        let allowed = review.status.is_some_and(|status| status.allowed);
        Ok(if allowed { Access::Granted } else { Access::Forbidden })
    }
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = token.and_then(|value| value.strip_prefix("Bearer ")) else {
        return (StatusCode::UNAUTHORIZED, "send \"Authorization: Bearer <token>\"\n").into_response();
    };
    let asked = tokio::time::timeout(PATIENCE, guard.access(token, request.uri().path())).await;
    match asked {
        Ok(Ok(access)) => match access.refusal() {
            None => next.run(request).await,
            Some(refusal) => refusal.into_response(),
        },
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot ask the API server who reads the diagnostics");
            (StatusCode::SERVICE_UNAVAILABLE, "the API server could not be asked about the token\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the API server did not answer in time\n").into_response(),
    }
}

/// Serves a router over TLS until `stop` fires, with a certificate made for this process: scrapers are told to skip
/// its verification, as with the Go managers.
pub async fn serve(address: SocketAddr, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let listener = listen(address)?;
    let (certificate, key) = self_signed(&["localhost".to_owned()])?;
    let config = RustlsConfig::from_pem(certificate.into_bytes(), key.into_bytes()).await?;
    serve_tls(listener, config, router, GRACE, stop).await
}

#[cfg(test)]
mod tests;
