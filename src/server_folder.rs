//! Tells programs on this machine that the embedded engine's folder belongs to this server, and how they may reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use footnote_knowledge::secret::Secret;
use footnote_knowledge::server_file::ServerFile;
use uuid::Uuid;

use crate::cli::ServeOptions;
use crate::library::Library;

/// `server.json` in the data folder, gone when dropped.
pub(crate) struct ServerFolder {
    folder: PathBuf,
    token: Secret,
}

impl ServerFolder {
    /// None where the store is elsewhere, and anybody may open it. One that cannot be written is no reason not to serve.
    pub(crate) fn claim(options: &ServeOptions, listening: SocketAddr, library: &Library) -> Option<Self> {
        if options.store.qdrant_url.is_some() {
            return None;
        }
        let folder = options.store.data_dir.clone();
        let token = Secret::new(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
        let url = format!("http://{}", reachable(listening));
        let file = ServerFile { url, token: token.clone(), max_tokens: library.max_tokens()? };
        if let Err(error) = file.write(&folder) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "server.json cannot be written, so `ingest` will not find this server");
            return None;
        }
        Some(Self { folder, token })
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        let _ = ServerFile::remove(&self.folder);
    }
}

/// An address of this machine, where the server listens on all of them.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
