//! Ports of this process: where they are opened, and how a server with TLS on one of them ends.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio_util::sync::CancellationToken;

/// Listens at an address. Where that is all addresses of both families, and the host has no IPv6, on IPv4 alone.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = with_fallback(address, TcpListener::bind)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn with_fallback<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> Result<T>) -> Result<T> {
    let both = address.ip() == Ipv6Addr::UNSPECIFIED;
    bind(address).or_else(|error| match error.kind() {
        // About the port, which IPv4 would not change; and half of the clients would not get through.
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Err(error),
        _ if both => bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))),
        _ => Err(error),
    })
}

/// Serves a router over TLS until `stop` fires; open requests then get `grace`.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    config: RustlsConfig,
    router: Router,
    grace: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let handle = Handle::new();
    let closer = {
        let handle = handle.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            handle.graceful_shutdown(Some(grace));
        })
    };
    let served = axum_server::from_tcp_rustls(listener, config)?.handle(handle).serve(router.into_make_service()).await;
    closer.abort();
    served
}

/// A certificate for these names that nobody else has signed, and its key, as PEM.
pub(crate) fn self_signed(names: &[String]) -> Result<(String, String)> {
    let made = rcgen::generate_simple_self_signed(names.to_vec()).map_err(Error::other)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a host without IPv6 answers.
    const NO_IPV6: i32 = 97;

    #[test]
    fn a_host_without_ipv6_listens_on_ipv4() {
        let bind =
            |address: SocketAddr| if address.is_ipv6() { Err(Error::from_raw_os_error(NO_IPV6)) } else { Ok(address) };
        let at = |text: &str| with_fallback(text.parse().unwrap(), bind).map(|bound| bound.to_string());
        assert_eq!(at("[::]:9440").unwrap(), "0.0.0.0:9440");
        assert_eq!(at("127.0.0.1:80").unwrap(), "127.0.0.1:80");
        assert!(at("[::1]:9440").is_err(), "another address is never taken for one that was asked for");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_on_both() {
        let bind = |address: SocketAddr| if address.is_ipv6() { Err(ErrorKind::AddrInUse.into()) } else { Ok(()) };
        let error = with_fallback("[::]:9440".parse().unwrap(), bind).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}
