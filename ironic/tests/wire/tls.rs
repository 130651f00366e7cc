//! HTTPS: whom we trust, and our own certificate.

use std::net::TcpListener;

use axum_server::tls_rustls::RustlsConfig;
use ironic::{Client, Config, ErrorKind, Source, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::server::Server;

/// A certificate authority: who signs, and what is trusted.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

/// A server whose certificate is for this name, signed by this authority. Answers its base URL.
async fn serve(authority: &Authority, name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = RustlsConfig::from_pem(leaf.pem().into_bytes(), key.serialize_pem().into_bytes()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let app = Server::start().await.router().into_make_service();
    tokio::spawn(axum_server::from_tcp_rustls(listener, config).unwrap().serve(app));
    url
}

fn trusting(url: &str, authorities: Source) -> Client {
    let tls = Tls { authorities: Some(authorities), ..Tls::default() };
    Client::new(Config { tls, ..Config::new(url) }).unwrap()
}

#[tokio::test]
async fn only_the_given_authority_is_trusted_and_only_for_its_name() {
    let (ours, other) = (authority("ours"), authority("other"));
    let url = serve(&ours, "127.0.0.1").await;
    trusting(&url, Source::Inline(ours.pem.clone())).drivers().await.unwrap();
    // A bundle may hold more than one.
    trusting(&url, Source::Inline(format!("{}{}", other.pem, ours.pem))).drivers().await.unwrap();

    let misnamed = serve(&ours, "ironic.example").await;
    let strangers = [
        (trusting(&url, Source::Inline(other.pem.clone())), "another authority"),
        (Client::new(Config::new(&url)).unwrap(), "the authorities of the system"),
        (trusting(&misnamed, Source::Inline(ours.pem.clone())), "another name"),
    ];
    for (client, why) in strangers {
        let error = client.drivers().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{why}: {error}");
        assert!(error.text.contains("certificate"), "{why}: the text names what is wrong: {error}");
    }
    let insecure = Tls { insecure: true, ..Tls::default() };
    Client::new(Config { tls: insecure, ..Config::new(&misnamed) }).unwrap().drivers().await.unwrap();
}

#[tokio::test]
async fn a_bundle_that_is_none_is_told_before_anything_is_asked() {
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = trusting("https://127.0.0.1:9", Source::Inline(text.to_owned())).drivers().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Setup, "{text:?}: {error}");
        assert!(error.text.contains("the certificate authorities"), "{text:?}: {error}");
    }
}
