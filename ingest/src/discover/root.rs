//! The folders that sources are named after.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A path given to `ingest`: a folder to walk, or one file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// First part of every source below it.
    pub name: String,
    /// Absolute, without symbolic links.
    pub folder: PathBuf,
    /// The one file asked for, relative to `folder`.
    pub file: Option<PathBuf>,
}

/// Why the given paths cannot be ingested; nothing was read or written yet.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    #[error("there is no file or folder {}", .0.display())]
    Missing(PathBuf),
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} has no name to call its documents by; give one with --root-name", .0.display())]
    Nameless(PathBuf),
    #[error(
        "the root name {0:?} must be 1 to 128 characters, none of them a slash or control character, and not . or .."
    )]
    InvalidName(String),
    #[error(
        "{} and {} would both be called {name:?}, so that their documents could not be told apart; \
         ingest them one at a time, each with its --root-name",
        .first.display(), .second.display()
    )]
    SameName { name: String, first: PathBuf, second: PathBuf },
}

/// One root per given path. A folder lends its own name, a file the name of the folder it lies in, unless `name` is given.
pub fn roots(paths: &[PathBuf], name: Option<&str>) -> Result<Vec<Root>, RootError> {
    let roots = paths.iter().map(|path| Root::new(path, name)).collect::<Result<Vec<_>, _>>()?;
    let mut folders: HashMap<&str, &Path> = HashMap::new();
    for root in &roots {
        let first = folders.entry(&root.name).or_insert(&root.folder);
        if *first != root.folder {
            let (name, first, second) = (root.name.clone(), first.to_path_buf(), root.folder.clone());
            return Err(RootError::SameName { name, first, second });
        }
    }
    Ok(roots)
}

impl Root {
    fn new(path: &Path, name: Option<&str>) -> Result<Self, RootError> {
        let metadata = std::fs::metadata(path).map_err(|error| at(path, error))?;
        let (folder, file) = if metadata.is_dir() {
            (path.to_owned(), None)
        } else {
            let file = path.file_name().ok_or_else(|| RootError::Nameless(path.to_owned()))?;
            // The parent of a bare file name is "", the current folder.
            let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
            (parent.to_owned(), Some(PathBuf::from(file)))
        };
        let folder = folder.canonicalize().map_err(|error| at(&folder, error))?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let name = folder.file_name().ok_or_else(|| RootError::Nameless(folder.clone()))?;
                name.to_string_lossy().into_owned()
            }
        };
        if matches!(name.as_str(), "" | "." | "..")
            || name.chars().count() > 128
            || name.chars().any(|character| matches!(character, '/' | '\\') || character.is_control())
        {
            return Err(RootError::InvalidName(name));
        }
        Ok(Self { name, folder, file })
    }

    /// `<root name>/<relative path>` of a path below the root.
    pub fn source_of(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.folder).unwrap_or(path);
        std::iter::once(self.name.clone().into())
            .chain(relative.components().map(|component| component.as_os_str().to_string_lossy()))
            .collect::<Vec<_>>()
            .join("/")
    }
}

fn at(path: &Path, error: std::io::Error) -> RootError {
    if error.kind() == std::io::ErrorKind::NotFound {
        RootError::Missing(path.to_owned())
    } else {
        RootError::Unreadable { path: path.to_owned(), source: error }
    }
}
