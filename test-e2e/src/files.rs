//! The file server of the provisioning network: images, kernels, boot ISOs and boot scripts over plain HTTP.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Serves the files below `root` until the process is stopped. Names that begin with a dot are not served.
pub async fn serve(root: PathBuf, listen: SocketAddr) -> Result<()> {
    let root = root.canonicalize().with_context(|| format!("there is no folder {}", root.display()))?;
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    tracing::info!(%listen, root = %root.display(), "file server answers");
    axum::serve(listener, router(root)).await.context("the file server ended")
}

/// The server as a router.
pub fn router(root: PathBuf) -> Router {
    Router::new().fallback(answer).with_state(root)
}

async fn answer(State(root): State<PathBuf>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let response = match *request.method() {
        Method::GET => file(&root, &path, request.headers(), true).await,
        Method::HEAD => file(&root, &path, request.headers(), false).await,
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    tracing::info!(method = %request.method(), %path, status = response.status().as_u16());
    response
}

async fn file(root: &Path, path: &str, headers: &HeaderMap, with_body: bool) -> Response {
    let Some(name) = inside(root, path) else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(mut file) = tokio::fs::File::open(&name).await else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(meta) = file.metadata().await else { return StatusCode::NOT_FOUND.into_response() };
    if !meta.is_file() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let size = meta.len();
    let wanted = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, first, end) = match wanted.map(|text| range(text, size)) {
        None => (StatusCode::OK, 0, size),
        Some(Some((first, end))) => (StatusCode::PARTIAL_CONTENT, first, end),
        Some(None) => {
            let all = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, all).into_response();
        }
    };
    if file.seek(std::io::SeekFrom::Start(first)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, end - first);
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(header::CONTENT_RANGE, format!("bytes {first}-{}/{size}", end - 1));
    }
    let body = if with_body { content(file, end - first) } else { Body::empty() };
    answer.body(body).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The next `left` bytes of a file as a body.
fn content(file: tokio::fs::File, left: u64) -> Body {
    Body::from_stream(stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into()); // The file became shorter meanwhile.
        }
        chunk.truncate(read);
        Ok(Some((chunk, (file, left - read as u64))))
    }))
}

/// The file a path names, when it stays inside the root and every part is visible.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative.components().all(|part| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    });
    plain.then(|| root.join(relative))
}

/// One range of RFC 9110 as first byte and end (exclusive); `None` when it lies outside the file.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(size)),
    };
    (first < end).then_some((first, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_in_rfc_9110() {
        assert_eq!(range("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(range("bytes=90-", 100), Some((90, 100)));
        assert_eq!(range("bytes=-10", 100), Some((90, 100)));
        assert_eq!(range("bytes=90-200", 100), Some((90, 100)));
        assert_eq!(range("bytes=100-", 100), None);
        assert_eq!(range("bytes=5-4", 100), None);
        assert_eq!(range("lines=1-2", 100), None);
    }

    #[test]
    fn paths_stay_inside() {
        let root = Path::new("/srv");
        assert_eq!(inside(root, "/images/a.qcow2"), Some("/srv/images/a.qcow2".into()));
        assert_eq!(inside(root, "/../etc/passwd"), None);
        assert_eq!(inside(root, "/images/.secret"), None);
    }
}
