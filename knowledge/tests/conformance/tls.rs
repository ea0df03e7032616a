//! A Qdrant server behind `https://`.

use std::fs;
use std::sync::Arc;

use footnote_knowledge::vector_store::{Error, VectorStore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::ServerConfig;

use crate::process::start;
use crate::scripted_qdrant::{Reply, ScriptedQdrant};

const ADDRESS: &str = "FOOTNOTE_TEST_ADDRESS";

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_accepted() {
    let (server, _certificate) = start_server().await;
    let store = VectorStore::connect(&format!("https://localhost:{}", server.address.port()), None).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

/// In a process of its own, to which the system's authorities are what the test says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_that_the_system_trusts_answers() {
    let (server, certificate) = start_server().await;
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authorities.pem");
    fs::write(&trusted, certificate).unwrap();
    let address = format!("https://localhost:{}", server.address.port());
    let environment = [("SSL_CERT_FILE", trusted.as_os_str()), (ADDRESS, address.as_ref())];
    let child = start("tls::child_that_connects", folder.path(), &environment);
    let said = tokio::task::spawn_blocking(|| child.wait()).await.unwrap();
    assert_eq!(said, ["opened"]);
}

#[tokio::test]
#[ignore = "started by the test above"]
async fn child_that_connects() {
    let store = VectorStore::connect(&std::env::var(ADDRESS).unwrap(), None).await.unwrap();
    match store.check().await {
        Ok(()) => println!("opened"),
        Err(error) => println!("refused: {error}"),
    }
}

/// And its certificate, which is its own authority.
async fn start_server() -> (ScriptedQdrant, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server = ScriptedQdrant::start_with_tls(TlsAcceptor::from(Arc::new(config)), |_, _| Reply::Empty).await;
    (server, certified.cert.pem())
}
