//! `NAME.json`: which collection a name stands for. Replaced by rename, so a reader finds the old or the new.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::error::Error;
use super::steps::{Step, reached};
use super::sync_folder;

#[derive(Serialize, Deserialize)]
struct Alias {
    collection: String,
}

pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
    };
    match serde_json::from_slice::<Alias>(&text) {
        Ok(alias) => Ok(Some(alias.collection)),
        Err(error) => Err(Error::Corrupt { path: path.to_owned(), message: error.to_string() }),
    }
}

pub(super) fn replace(path: &Path, collection: &str) -> Result<(), Error> {
    let text = serde_json::to_vec(&Alias { collection: collection.to_owned() }).expect("a string becomes JSON");
    let new = path.with_added_extension("new");
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        reached(Step::AliasWritten);
        fs::rename(&new, path)?;
        sync_folder(folder)
    };
    write().map_err(|source| Error::Io { path: path.to_owned(), source })
}
