//! `server.json`: how a program on this machine reaches the server that holds the embedded engine's folder, which no
//! second process can open. Written by that server, readable by its user only.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::{collection, vector_store};

/// Where a server is, and what it lets us in with.
#[derive(Debug, Clone)]
pub struct ServerFile {
    pub url: String,
    pub token: Secret,
    /// Tokens that its embedder reads at once: tells how documents are cut, and with it which have changed.
    pub max_tokens: usize,
}

#[derive(Serialize, Deserialize)]
struct Written {
    url: String,
    token: String,
    max_tokens: usize,
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("server.json")
}

impl ServerFile {
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let Self { url, token, max_tokens } = self;
        let written = Written { url: url.clone(), token: token.expose().to_owned(), max_tokens: *max_tokens };
        let unfinished = data_dir.join("server.json.new");
        // What an earlier server left may have other permissions.
        let _ = fs::remove_file(&unfinished);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&unfinished)?.write_all(&serde_json::to_vec(&written)?)?;
        fs::rename(unfinished, path_in(data_dir))
    }

    /// None if there is none; the server that wrote it may be gone.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        let file = match fs::read(path_in(data_dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let Written { url, token, max_tokens } = serde_json::from_slice(&file)?;
        Ok(Some(Self { url, token: Secret::new(token), max_tokens }))
    }

    /// The server that holds the folder, if that is why the collection could not be opened; else the reason that is.
    pub fn of_holder(data_dir: &Path, error: collection::Error) -> Result<Self, collection::Error> {
        let collection::Error::Store(vector_store::Error::InUse { .. }) = &error else { return Err(error) };
        match Self::read(data_dir) {
            Ok(file) => file.ok_or(error),
            Err(source) => Err(vector_store::Error::Io { path: path_in(data_dir), source }.into()),
        }
    }

    pub fn remove(data_dir: &Path) -> io::Result<()> {
        fs::remove_file(path_in(data_dir))
    }
}
