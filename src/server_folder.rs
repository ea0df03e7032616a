//! Tells programs on this machine that the embedded engine's folder belongs to this server, and how they may reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use footnote_knowledge::secret::Secret;
use footnote_knowledge::server_file::ServerFile;
use uuid::Uuid;

use crate::cli::ServeOptions;
use crate::library::Library;

/// `server.json` in the data folder, gone when dropped.
pub struct ServerFolder {
    folder: PathBuf,
    url: String,
    token: Secret,
}

impl ServerFolder {
    /// None where the store is elsewhere, and anybody may open it.
    pub(crate) fn new(options: &ServeOptions, listening: SocketAddr) -> Option<Self> {
        if options.store.qdrant_url.is_some() {
            return None;
        }
        let token = Secret::new(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
        let url = format!("http://{}", reachable(listening));
        Some(Self { folder: options.store.data_dir.clone(), url, token })
    }

    /// Says what embedder is used here, by the server that has the folder open. One that cannot be written is no reason
    /// not to serve.
    pub(crate) fn write(&self, max_tokens: usize) {
        let Self { folder, url, token } = self;
        let file = ServerFile { url: url.clone(), token: token.clone(), max_tokens };
        if let Err(error) = file.write(folder) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "server.json cannot be written, so `ingest` will not find this server");
        }
    }

    /// Writes it as soon as the folder is open.
    pub(crate) async fn write_when_open(self: Arc<Self>, library: Library) {
        let opened = library.wait_until_open(|_| {}).await;
        self.write(opened.embedder.max_tokens());
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        // It may be that of another server, which has the folder.
        if let Ok(Some(file)) = ServerFile::read(&self.folder)
            && file.token.expose() == self.token.expose()
        {
            let _ = ServerFile::remove(&self.folder);
        }
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
