//! `ingest --watch`: runs again whenever something changed below the paths.
//!
//! The folders are looked at every second rather than watched by the operating system: that works on network drives and
//! mounted volumes, and misses nothing. Looking at 20,000 files takes a fraction of a second and reads none of them.

use std::path::PathBuf;
use std::time::Duration;

use footnote_ingest::discover::{self, Roots, Snapshot};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The files as the last run found them.
pub(super) struct Watch {
    paths: Vec<PathBuf>,
    root_name: Option<String>,
    last: Look,
}

/// What is there at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) files: Snapshot,
    /// Whether there are files below each path.
    every_path: bool,
}

impl Watch {
    /// To be made before the first run: what changes during a run is then seen after it.
    pub(super) async fn begin(paths: &[PathBuf], root_name: Option<&str>) -> Self {
        let mut watch = Self { paths: paths.to_vec(), root_name: root_name.map(str::to_owned), last: Look::default() };
        watch.last = watch.look().await;
        watch
    }

    /// Whether there were files below each path, before a change and after it: of a folder that is empty, not mounted, or
    /// just coming back, what is not there would seem to have been removed.
    pub(super) fn saw_every_path(&self, before: &Look) -> bool {
        before.every_path && self.last.every_path
    }

    /// Waits until something has changed and then stayed as it is from one look to the next: an editor that saves, or a
    /// copy of many files, is not caught half-way. Returns what was there before.
    pub(super) async fn change(&mut self) -> Look {
        let mut seen = self.last.clone();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.look().await;
            if now == seen && now != self.last {
                return std::mem::replace(&mut self.last, now);
            }
            seen = now;
        }
    }

    /// Where a path leads nowhere now, it may later.
    async fn look(&self) -> Look {
        let (paths, root_name) = (self.paths.clone(), self.root_name.clone());
        let look = tokio::task::spawn_blocking(move || Look::take(&paths, root_name.as_deref()));
        look.await.unwrap_or_default()
    }
}

impl Look {
    fn take(paths: &[PathBuf], root_name: Option<&str>) -> Self {
        let Ok(Roots { there, unreached }) = discover::roots(paths, root_name) else { return Self::default() };
        let files = Snapshot::take(&there);
        let every_path = unreached.is_empty() && there.iter().all(|root| files.has_any_of(root));
        Self { files, every_path }
    }
}
