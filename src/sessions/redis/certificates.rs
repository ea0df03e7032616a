//! Which certificates of a Redis are trusted.

use std::path::Path;

use redis::{Client, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::sessions::error::{Cause, Error};

/// Those that the system trusts, or those that a CA of one's own has signed.
#[derive(Debug, Clone)]
pub(super) struct Certificates(Option<TlsCertificates>);

impl Certificates {
    /// `ca` is a PEM file of one or more certificates. They are trusted instead of the system's.
    pub(super) fn read(ca: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = ca else { return Ok(Self(None)) };
        let invalid = |source: Cause| Error::CannotOpen { path: path.to_owned(), source };
        let pem = std::fs::read(path).map_err(|error| invalid(error.into()))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        if certificates.map_err(|error| invalid(error.into()))?.is_empty() {
            return Err(invalid("there is no certificate in it; a PEM file has -----BEGIN CERTIFICATE-----".into()));
        }
        Ok(Self(Some(TlsCertificates { client_tls: None, root_cert: Some(pem) })))
    }

    /// Connects to nothing yet.
    pub(super) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match (&self.0, info.addr()) {
            (Some(certificates), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(info, certificates.clone()),
            _ => Client::open(info),
        }
    }

    pub(super) fn of_one_s_own(&self) -> Option<&TlsCertificates> {
        self.0.as_ref()
    }
}
