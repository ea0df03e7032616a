//! The folders that sources are named after.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::CHECK_PERMISSIONS;

/// A path given to `ingest`: a folder to walk, or one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// First part of every source below it.
    pub name: String,
    /// What sources are relative to: absolute, without symbolic links.
    pub folder: PathBuf,
    /// The folder as it was given, made absolute. A link that leads to one release after another stays one root.
    pub given: PathBuf,
    pub inside: Inside,
}

/// What of a root is to be ingested, relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// All below; the empty path for the root's own folder.
    Folder(PathBuf),
    File(PathBuf),
}

/// What the given paths lead to.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    pub there: Vec<Root>,
    /// Reported like files that cannot be read; the others are ingested.
    pub unreached: Vec<Unreached>,
}

/// A given path at which there is nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    pub given: PathBuf,
    pub reason: String,
    pub advice: String,
}

/// Why the given paths cannot be ingested; nothing was read or written yet.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    #[error("there is no file or folder {}", .0.display())]
    Missing(PathBuf),
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} has no name to call its documents by; give it one: ingest --root-name NAME {}", .0.display(), .0.display())]
    Nameless(PathBuf),
    #[error(
        "the root name {0:?} must be 1 to 128 characters, none of them a slash or control character, and not . or .."
    )]
    InvalidName(String),
    #[error(
        "{} and {} would both be called {name:?}, so that their documents could not be told apart; \
         rename one, or ingest it by itself: ingest --root-name NAME {}",
        .first.display(), .second.display(), .second.display()
    )]
    SameName { name: String, first: PathBuf, second: PathBuf },
    #[error(
        "the documents called {name:?} came from {}, and those of {} would replace them; give the second folder another \
         name with ingest --root-name NAME, or, if it is the same folder in another place, say so with \
         ingest --root-name {name:?}",
        .other.display(), .given.display()
    )]
    NameTaken { name: String, other: PathBuf, given: PathBuf },
    #[error(
        "the documents called {name:?} came from another folder, and these would replace them; give this folder another \
         name with ingest --root-name NAME, or, if it is the same folder in another place, say so with \
         ingest --root-name {name:?}"
    )]
    NameTakenElsewhere { name: String },
}

/// One root per given path. A folder lends its own name, a file the name of the folder it lies in, unless `name` is given.
/// What lies inside another given folder is called as if that had been given alone. Where no path can be reached, the first
/// of them is an error: it is mistyped.
pub fn roots(paths: &[PathBuf], name: Option<&str>) -> Result<Roots, RootError> {
    let (mut roots, mut unreached, mut first_error) = (Vec::new(), Vec::new(), None);
    for path in paths {
        match Root::new(path, name) {
            Ok(root) => roots.push(root),
            Err(error) => {
                let Some(one) = Unreached::of(path, &error) else { return Err(error) };
                unreached.push(one);
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error.filter(|_| roots.is_empty()) {
        return Err(error);
    }
    let walked: Vec<Root> = roots.iter().filter(|root| root.is_whole_folder()).cloned().collect();
    for root in &mut roots {
        let around = walked.iter().filter(|outer| root.folder.starts_with(&outer.folder));
        if let Some(outermost) = around.min_by_key(|outer| outer.folder.components().count()) {
            root.move_into(outermost);
        }
    }
    let mut folders: HashMap<&str, &Root> = HashMap::new();
    for root in &roots {
        let first = folders.entry(&root.name).or_insert(root);
        if first.folder != root.folder {
            let (name, first, second) = (root.name.clone(), first.given.clone(), root.given.clone());
            return Err(RootError::SameName { name, first, second });
        }
    }
    // It may come back, and its documents may be in the collection.
    for Unreached { given, .. } in &unreached {
        let Ok(given) = absolute(given) else { continue };
        let called = name.map_or_else(|| given.file_name().map(OsStr::to_string_lossy), |name| Some(name.into()));
        if let Some(root) = called.and_then(|name| folders.get(&*name))
            && !given.starts_with(&root.given)
        {
            return Err(RootError::SameName { name: root.name.clone(), first: root.given.clone(), second: given });
        }
    }
    Ok(Roots { there: roots, unreached })
}

/// Whether documents can be called after it.
pub fn check_root_name(name: &str) -> Result<(), RootError> {
    let is_invalid = matches!(name, "" | "." | "..")
        || name.chars().count() > 128
        || name.chars().any(|character| matches!(character, '/' | '\\') || character.is_control());
    if is_invalid { Err(RootError::InvalidName(name.to_owned())) } else { Ok(()) }
}

impl Unreached {
    /// None of an error that is not about the path alone.
    fn of(path: &Path, error: &RootError) -> Option<Self> {
        let (reason, advice) = match error {
            RootError::Missing(_) => ("there is no such file or folder".to_owned(), "check the path"),
            RootError::Unreadable { source, .. } => (format!("cannot be read: {source}"), CHECK_PERMISSIONS),
            RootError::Nameless(_)
            | RootError::InvalidName(_)
            | RootError::SameName { .. }
            | RootError::NameTaken { .. }
            | RootError::NameTakenElsewhere { .. } => return None,
        };
        Some(Self { given: path.to_owned(), reason, advice: advice.to_owned() })
    }
}

impl Root {
    fn new(path: &Path, name: Option<&str>) -> Result<Self, RootError> {
        let metadata = std::fs::metadata(path).map_err(|error| at(path, error))?;
        let (folder, inside) = if metadata.is_dir() {
            (path, Inside::Folder(PathBuf::new()))
        } else {
            let file = path.file_name().ok_or_else(|| RootError::Nameless(path.to_owned()))?;
            (path.parent().unwrap_or(Path::new("")), Inside::File(PathBuf::from(file)))
        };
        // The parent of a bare file name is "", the current folder.
        let folder = if folder == Path::new("") { Path::new(".") } else { folder };
        let given = absolute(folder).map_err(|error| at(folder, error))?;
        let folder = folder.canonicalize().map_err(|error| at(folder, error))?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let name = given.file_name().or_else(|| folder.file_name());
                let name = name.ok_or_else(|| RootError::Nameless(folder.clone()))?;
                name.to_string_lossy().into_owned()
            }
        };
        check_root_name(&name)?;
        Ok(Self { name, folder, given, inside })
    }

    fn is_whole_folder(&self) -> bool {
        matches!(&self.inside, Inside::Folder(inside) if *inside == Path::new(""))
    }

    /// Names what is in this root as part of `outer`, which its folder lies in.
    fn move_into(&mut self, outer: &Self) {
        let Ok(below) = self.folder.strip_prefix(&outer.folder) else {
            return;
        };
        let inside = match &self.inside {
            Inside::Folder(inside) => Inside::Folder(below.join(inside)),
            Inside::File(inside) => Inside::File(below.join(inside)),
        };
        *self = Self { inside, ..outer.clone() };
    }

    /// `path` as seen from the folder, if it is below it and valid UTF-8.
    pub fn relative<'a>(&self, path: &'a Path) -> Option<&'a str> {
        path.strip_prefix(&self.folder).ok()?.to_str()
    }

    /// Where the file of this source is, or was, if it is called after this root.
    pub fn path_of(&self, source: &str) -> Option<PathBuf> {
        let relative = source.strip_prefix(&self.name)?.strip_prefix('/')?;
        Some(self.folder.join(relative))
    }

    /// Whether a file of this source is, or would be, among what is to be ingested.
    pub fn covers(&self, source: &str) -> bool {
        // A file in an archive is below the archive.
        self.path_of(source).is_some_and(|path| path.starts_with(self.place()))
    }

    /// The folder or file to be ingested.
    pub(super) fn place(&self) -> PathBuf {
        let (Inside::Folder(inside) | Inside::File(inside)) = &self.inside;
        self.folder.join(inside)
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

/// The absolute path, `.` and `..` worked in, symbolic links left as they are.
fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let mut absolute = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        if component == Component::ParentDir {
            // Above a link `..` leads elsewhere.
            absolute = absolute.canonicalize()?;
            absolute.pop();
        } else {
            absolute.push::<&OsStr>(component.as_ref());
        }
    }
    Ok(absolute)
}

fn at(path: &Path, error: std::io::Error) -> RootError {
    if error.kind() == std::io::ErrorKind::NotFound {
        RootError::Missing(path.to_owned())
    } else {
        RootError::Unreadable { path: path.to_owned(), source: error }
    }
}
