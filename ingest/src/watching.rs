//! `ingest --watch`: runs again whenever something changed below the paths.
//!
//! The folders are looked at every second rather than watched by the operating system: that works on network drives and
//! mounted volumes, and misses nothing. Looking at 20,000 files takes a fraction of a second and reads none of them.

use std::path::PathBuf;
use std::time::Duration;

use footnote_ingest::Error;
use footnote_ingest::discover::{self, Root, Snapshot};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The files as the last run found them.
pub(super) struct Watch {
    roots: Vec<Root>,
    last: Snapshot,
}

impl Watch {
    /// To be made before the first run: what changes during a run is then seen after it.
    pub(super) async fn begin(paths: &[PathBuf], root_name: Option<&str>) -> Result<Self, Error> {
        let roots = discover::roots(paths, root_name)?;
        let last = snapshot(&roots).await;
        Ok(Self { roots, last })
    }

    /// Whether there are files below each path: of a folder that is empty or not mounted all would seem to have been
    /// removed.
    pub(super) fn sees_every_path(&self) -> bool {
        self.roots.iter().all(|root| self.last.has_any_of(root))
    }

    /// Waits until something has changed and then stayed as it is from one look to the next: an editor that saves, or a
    /// copy of many files, is not caught half-way. Returns the files as they were before.
    pub(super) async fn change(&mut self) -> Snapshot {
        let mut seen = self.last.clone();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = snapshot(&self.roots).await;
            if now == seen && now != self.last {
                return std::mem::replace(&mut self.last, now);
            }
            seen = now;
        }
    }
}

async fn snapshot(roots: &[Root]) -> Snapshot {
    let roots = roots.to_vec();
    tokio::task::spawn_blocking(move || Snapshot::take(&roots)).await.unwrap_or_default()
}
