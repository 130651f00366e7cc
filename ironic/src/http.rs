//! One request: address, headers, time budget, error. Also renews the connection when credential files change.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::config::{Auth, Config};
use crate::error::{Error, ErrorKind};
use crate::redact;
use crate::version::{Root, Versions};

/// How often credential and certificate files are looked at.
const RECHECK: Duration = Duration::from_secs(10);

/// A request below `/v1/`.
#[derive(Debug)]
pub(crate) struct Ask {
    method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Ask {
    pub(crate) fn new(method: Method, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|&segment| segment.to_owned()).collect();
        Self { method, segments, query: Vec::new(), body: None }
    }
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }
    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.retain(|(other, _)| *other != name);
        self.query.push((name, value.into()));
        self
    }
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
    pub(crate) fn name(&self) -> String {
        format!("{} /v1/{}", self.method, self.segments.join("/"))
    }
}

/// Where requests go through.
#[derive(Debug)]
pub(crate) struct Transport {
    config: Config,
    base: Url,
    session: Mutex<Option<Session>>,
    versions: tokio::sync::Mutex<Option<Versions>>,
}

/// A connection pool and the files it was made from.
#[derive(Clone)]
struct Session {
    http: reqwest::Client,
    authorization: Option<HeaderValue>,
    made_of: Material,
    checked: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// Contents of every source; two equal ones make the same session.
#[derive(Clone, PartialEq, Eq)]
struct Material {
    user: Option<(String, String)>,
    authorities: Option<String>,
    identity: Option<(String, String)>,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        // Fails only when some provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = base(&config.endpoint)?;
        Ok(Self { config, base, session: Mutex::new(None), versions: tokio::sync::Mutex::new(None) })
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.base.as_str()
    }

    /// The server's versions, asked once and again after an outage.
    pub(crate) async fn versions(&self) -> Result<Versions, Error> {
        let mut known = self.versions.lock().await;
        if let Some(versions) = *known {
            return Ok(versions);
        }
        let request = "GET /v1/";
        let session = self.session()?;
        // Deliberately without credentials: Ironic answers this to everybody.
        let sent = session.http.get(self.base.clone()).header(ACCEPT, "application/json").send().await;
        let body = read(request, sent, self.config.timeout).await?;
        let range = parse::<Root>(request, &body)?.range().ok_or_else(|| {
            let text = format!("{} is not the address of an Ironic API: no version range in the answer", self.base);
            Error::local(ErrorKind::Malformed, request, text)
        })?;
        let versions = Versions::choose(range.0, range.1)?;
        *known = Some(versions);
        Ok(versions)
    }

    /// Sends a request and returns the body of its success.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Vec<u8>, Error> {
        let versions = self.versions().await?;
        let name = ask.name();
        let session = self.session()?;
        let mut request = session
            .http
            .request(ask.method.clone(), self.url(ask)?)
            .header(ACCEPT, "application/json")
            .header("X-OpenStack-Ironic-API-Version", format!("1.{}", versions.used))
            .header("OpenStack-API-Version", format!("baremetal 1.{}", versions.used));
        if let Some(authorization) = session.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let answer = read(&name, request.send().await, self.config.timeout).await;
        if let Err(error) = &answer {
            tracing::debug!(request = %name, kind = %error.kind, error = %error, "Ironic request failed");
            if matches!(error.kind, ErrorKind::Version | ErrorKind::Unreachable | ErrorKind::Timeout) {
                // The server may come back as another release.
                *self.versions.lock().await = None;
            }
        }
        answer
    }

    /// Sends a request and reads the JSON of its success.
    pub(crate) async fn json<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Error> {
        let body = self.send(ask).await?;
        parse(&ask.name(), &body)
    }

    fn url(&self, ask: &Ask) -> Result<Url, Error> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(&ask.segments),
            Err(()) => return Err(Error::local(ErrorKind::Setup, ask.name(), "the endpoint cannot have a path")),
        };
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        Ok(url)
    }

    /// The session to use: the current one, or a new one when a file changed.
    fn session(&self) -> Result<Session, Error> {
        let mut slot = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(session) = slot.as_ref().filter(|session| session.checked.elapsed() < RECHECK) {
            return Ok(session.clone());
        }
        let session = match (material(&self.config), slot.take()) {
            (Ok(now), Some(old)) if now == old.made_of => Session { checked: Instant::now(), ..old },
            (Ok(now), _) => connect(&self.config, now)?,
            // A file in the middle of being replaced does not break what works.
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "keeping the earlier credentials for Ironic");
                Session { checked: Instant::now(), ..old }
            }
            (Err(error), None) => return Err(error),
        };
        *slot = Some(session.clone());
        Ok(session)
    }
}

/// The base URL, ending in `/v1/`.
fn base(endpoint: &str) -> Result<Url, Error> {
    let setup = |text: String| Error::local(ErrorKind::Setup, "endpoint", text);
    let shown = redact::url(endpoint.trim());
    let mut url = Url::parse(endpoint.trim()).map_err(|e| setup(format!("{shown:?} is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(setup(format!("{shown:?} is not an http or https URL")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The address is shown to people in conditions and events.
        let text =
            format!("{shown:?} holds a user or a password: give them as files, and take them out of the address");
        return Err(setup(text));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
    url.set_path(&format!("{path}/v1/"));
    Ok(url)
}

fn material(config: &Config) -> Result<Material, Error> {
    let user = match &config.auth {
        Auth::None => None,
        Auth::Basic { username, password } => {
            let (username, password) = (username.read()?.trim().to_owned(), password.read()?.trim().to_owned());
            if username.is_empty() || password.is_empty() {
                let text = "the user name or the password for Ironic is empty";
                return Err(Error::local(ErrorKind::Setup, "configuration", text));
            }
            Some((username, password))
        }
    };
    let authorities = config.tls.authorities.as_ref().map(crate::Source::read).transpose()?;
    let identity = match &config.tls.identity {
        Some((certificate, key)) => Some((certificate.read()?, key.read()?)),
        None => None,
    };
    Ok(Material { user, authorities, identity })
}

fn connect(config: &Config, made_of: Material) -> Result<Session, Error> {
    let setup = |what: &str, error: &dyn std::error::Error| {
        Error::local(ErrorKind::Setup, "configuration", format!("{what}: {}", chain(error)))
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("metal3-ironic/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout)
        .connect_timeout(config.timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none());
    if config.tls.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else if let Some(pem) = &made_of.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| setup("the certificate authorities for Ironic are not PEM", &error))?;
        if certificates.is_empty() {
            let text = "the certificate authorities for Ironic hold no certificate";
            return Err(Error::local(ErrorKind::Setup, "configuration", text));
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some((certificate, key)) = &made_of.identity {
        let pem = format!("{certificate}\n{key}");
        let identity = reqwest::Identity::from_pem(pem.as_bytes())
            .map_err(|error| setup("the client certificate or key for Ironic is not PEM", &error))?;
        builder = builder.identity(identity);
    }
    let http = builder.build().map_err(|error| {
        setup("the certificate authorities or the client certificate for Ironic cannot be used", &error)
    })?;
    let authorization = made_of.user.as_ref().map(|(username, password)| basic(username, password)).transpose()?;
    Ok(Session { http, authorization, made_of, checked: Instant::now() })
}

fn basic(username: &str, password: &str) -> Result<HeaderValue, Error> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|error| Error::local(ErrorKind::Setup, "configuration", error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(
    request: &str,
    sent: Result<reqwest::Response, reqwest::Error>,
    budget: Duration,
) -> Result<Vec<u8>, Error> {
    let failed = |error: reqwest::Error| {
        let error = error.without_url();
        if error.is_timeout() {
            let text = format!("no answer within {} s", budget.as_secs());
            return Error::local(ErrorKind::Timeout, request, text);
        }
        let kind = if error.is_builder() { ErrorKind::Setup } else { ErrorKind::Unreachable };
        Error::local(kind, request, chain(&error))
    };
    let response = sent.map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    // The root document comes with 300 where several versions are offered.
    if status.is_success() || status.as_u16() == 300 {
        return Ok(body.to_vec());
    }
    Err(Error::answer(request, status.as_u16(), &body))
}

pub(crate) fn parse<T: DeserializeOwned>(request: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("the answer is not the expected JSON: {error}");
        Error::local(ErrorKind::Malformed, request, text)
    })
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    /// Makes the next request look at the files again.
    fn age(transport: &Transport) {
        let mut slot = transport.session.lock().unwrap();
        slot.as_mut().unwrap().checked = Instant::now().checked_sub(RECHECK).unwrap();
    }
    fn header(transport: &Transport) -> String {
        transport.session().unwrap().authorization.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn changed_files_are_taken_up_and_broken_ones_are_not() {
        let dir = std::env::temp_dir().join(format!("ironic-credentials-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let password = dir.join("password");
        std::fs::write(&password, "one\n").unwrap();
        let auth = Auth::Basic { username: Source::Inline("u".into()), password: Source::File(password.clone()) };
        let transport = Transport::new(Config { auth, ..Config::new("http://127.0.0.1") }).unwrap();
        let [one, two] =
            ["u:one", "u:two"].map(|t| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(t)));
        assert_eq!(header(&transport), one);
        std::fs::write(&password, "two\n").unwrap();
        assert_eq!(header(&transport), one, "looked at too often");
        age(&transport);
        assert_eq!(header(&transport), two);
        std::fs::remove_file(&password).unwrap();
        age(&transport);
        assert_eq!(header(&transport), two, "a file in the middle of being replaced");

        let bundle = dir.join("ca.crt");
        let tls = crate::Tls { authorities: Some(Source::File(bundle.clone())), ..crate::Tls::default() };
        std::fs::write(&bundle, "not a certificate").unwrap();
        let transport = Transport::new(Config { tls, ..Config::new("https://127.0.0.1") }).unwrap();
        assert!(transport.session().is_err());
        for name in ["one", "two"] {
            let pem = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
            std::fs::write(&bundle, &pem).unwrap();
            transport.session().unwrap();
            age(&transport);
            assert_eq!(transport.session().unwrap().made_of.authorities, Some(pem), "a renewed authority");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn paths_are_escaped_and_tildes_are_not() {
        let transport = Transport::new(Config::new("https://ironic.example/x/v1")).unwrap();
        let url = |segments: &[&str]| transport.url(&Ask::get(segments).query("a", "b c")).unwrap().to_string();
        assert_eq!(url(&["nodes", "ns~host.x"]), "https://ironic.example/x/v1/nodes/ns~host.x?a=b+c");
        assert_eq!(url(&["nodes", "a/../b?c"]), "https://ironic.example/x/v1/nodes/a%2F..%2Fb%3Fc?a=b+c");
    }
}
