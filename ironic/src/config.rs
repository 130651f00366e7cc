//! Where Ironic is and how to prove who we are.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::redact::MASK;

/// How to reach one Ironic.
#[derive(Debug, Clone)]
pub struct Config {
    /// Base URL with or without `/v1`, e.g. `https://ironic.example:6385`.
    pub endpoint: String,
    /// Who we are.
    pub auth: Auth,
    /// Whom we trust. Ignored for `http`.
    pub tls: Tls,
    /// Budget of one request, from connecting to the last byte.
    pub timeout: Duration,
}

impl Config {
    /// No authentication, the system's trusted certificates, 30 s per request.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), auth: Auth::None, tls: Tls::default(), timeout: Duration::from_secs(30) }
    }
}

/// Who we are.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Nobody: a noauth Ironic.
    #[default]
    None,
    /// HTTP basic authentication. Space around the values is trimmed.
    Basic {
        /// User name.
        username: Source,
        /// Password.
        password: Source,
    },
}

/// Whom we trust, and our own certificate.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM bundle of the only certificate authorities to trust; absent means the system's.
    pub authorities: Option<Source>,
    /// PEM certificate chain and private key for mutual TLS.
    pub identity: Option<(Source, Source)>,
    /// Trust any server. Only for tests.
    pub insecure: bool,
}

/// Text that is given or lies in a file. Files are read again when they change, so certificates can rotate.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Inline(String),
    /// A file that holds it.
    File(PathBuf),
}

impl Source {
    /// The text now.
    pub fn read(&self) -> Result<String, Error> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                Error::local(ErrorKind::Setup, "configuration", format!("cannot read {}: {error}", path.display()))
            }),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str(MASK),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}
