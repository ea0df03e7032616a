//! A CA of the test's own, and a certificate for 127.0.0.1 that it signed.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// PEM files, gone with this.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// `host` is a name or an address that the certificate is for.
    pub(crate) fn for_host(host: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, format!("the CA of {host}"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

        let certificates = Self { folder: TempDir::new().unwrap() };
        std::fs::write(certificates.ca(), authority.pem()).unwrap();
        std::fs::write(certificates.file("server.pem"), certificate.pem()).unwrap();
        std::fs::write(certificates.file("server.key"), key.serialize_pem()).unwrap();
        certificates
    }

    /// The file to trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// What makes a redis-server speak TLS on `port`.
    pub(crate) fn arguments(&self, port: u16) -> Vec<String> {
        let files =
            [("--tls-ca-cert-file", "ca.pem"), ("--tls-cert-file", "server.pem"), ("--tls-key-file", "server.key")];
        let files = files.map(|(option, file)| [option.to_owned(), self.file(file).display().to_string()]);
        let port = ["--tls-port".to_owned(), port.to_string()];
        let clients = ["--tls-auth-clients".to_owned(), "no".to_owned()];
        [port, clients].into_iter().chain(files).flatten().collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
