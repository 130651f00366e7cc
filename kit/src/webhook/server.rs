//! The HTTPS server of the webhooks. Certificates are re-read by content, because a mounted Secret changes by a
//! symbolic link and a watch on the file would miss it.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use tokio_util::sync::CancellationToken;

use super::Hooks;
use crate::listen::{listen, self_signed, serve_tls};
use crate::serve::Waiting;

/// How often the certificate files are compared.
const RELOAD: Duration = Duration::from_secs(10);
/// How long the server waits for its certificate at start before it says so again.
const MISSING: Duration = Duration::from_secs(2);
/// Open requests at shutdown get this long.
const GRACE: Duration = Duration::from_secs(5);

/// Where the server listens and what it shows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port, 9443 by custom.
    pub port: u16,
    /// Directory with `tls.crt` and `tls.key` (and `ca.crt` when self-signed).
    pub cert_dir: PathBuf,
    /// Names of a self-signed certificate, made when the directory has none; empty for never.
    pub self_signed: Vec<String>,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken or may not be used.
    #[error("webhook port {port} cannot be used: {source}")]
    Bind {
        /// The port.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// The self-signed certificate could not be made or stored.
    #[error("self-signed certificate in {dir}: {message}")]
    SelfSigned {
        /// The directory.
        dir: PathBuf,
        /// What went wrong.
        message: String,
    },
    /// The server stopped by an error.
    #[error("webhook server: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves the hooks until `stop` fires. Waits for the certificate files to appear; `opening` is dropped when the
/// server answers, so that nobody calls the process ready before.
pub async fn serve(
    options: Options,
    hooks: Hooks,
    opening: Waiting,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !options.self_signed.is_empty() && !options.cert_dir.join("tls.crt").exists() {
        self_sign(&options.cert_dir, &options.self_signed)?;
    }
    let listener = listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, options.port)));
    let listener = listener.map_err(|source| ServeError::Bind { port: options.port, source })?;
    serve_at(listener, options.cert_dir, hooks, opening, stop).await
}

/// The same on a port that is open already.
pub(super) async fn serve_at(
    listener: TcpListener,
    cert_dir: PathBuf,
    hooks: Hooks,
    opening: Waiting,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let Some((pair, config)) = stop.run_until_cancelled(first_pair(&cert_dir)).await else { return Ok(()) };
    let reload = tokio::spawn(reload(cert_dir, pair, config.clone(), stop.clone()));
    // The port is open already, and with a certificate every connection is answered.
    drop(opening);
    let ended = serve_tls(listener, config, hooks.router(), GRACE, stop).await;
    reload.abort();
    Ok(ended?)
}

type Pair = (Vec<u8>, Vec<u8>);

async fn read_pair(dir: &Path) -> std::io::Result<Pair> {
    Ok((tokio::fs::read(dir.join("tls.crt")).await?, tokio::fs::read(dir.join("tls.key")).await?))
}

async fn first_pair(dir: &Path) -> (Pair, RustlsConfig) {
    loop {
        let loaded = async {
            let pair = read_pair(dir).await?;
            let config = RustlsConfig::from_pem(pair.0.clone(), pair.1.clone()).await?;
            Ok::<_, std::io::Error>((pair, config))
        };
        match loaded.await {
            Ok(loaded) => return loaded,
            Err(error) => tracing::warn!(dir = %dir.display(), %error, "waiting for the webhook certificate"),
        }
        tokio::time::sleep(MISSING).await;
    }
}

async fn reload(dir: PathBuf, mut known: Pair, config: RustlsConfig, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(RELOAD)).await.is_some() {
        refresh(&dir, &mut known, &config).await;
    }
}

/// Takes over changed files. A pair that does not fit together (half written) leaves the old one in use.
pub(super) async fn refresh(dir: &Path, known: &mut Pair, config: &RustlsConfig) {
    match read_pair(dir).await {
        Ok(pair) if pair == *known => {}
        Ok(pair) => match config.reload_from_pem(pair.0.clone(), pair.1.clone()).await {
            Ok(()) => {
                tracing::info!("webhook certificate renewed");
                *known = pair;
            }
            Err(error) => tracing::warn!(%error, "new webhook certificate not usable, keeping the old one"),
        },
        Err(error) => tracing::warn!(%error, "webhook certificate not readable, keeping the old one"),
    }
}

/// Makes a certificate for these names and stores it as `tls.crt`, `tls.key` and `ca.crt`.
pub fn self_sign(dir: &Path, names: &[String]) -> Result<(), ServeError> {
    let store = || -> std::io::Result<()> {
        let (certificate, key) = self_signed(names)?;
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("ca.crt"), &certificate)?;
        private(&dir.join("tls.key"), &key)?;
        std::fs::write(dir.join("tls.crt"), &certificate)
    };
    store().map_err(|error| ServeError::SelfSigned { dir: dir.to_owned(), message: error.to_string() })
}

/// Writes a file that only its owner may read.
fn private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
