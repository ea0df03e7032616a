//! One job: what `GET /jobs/{id}` shows, and what is kept of it on disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use footnote_ingest::{Event, Failure, Outcome, Report, Skipped};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::AboutUpload;

const RECORD: &str = "job.json";
const FILES: &str = "files";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    #[serde(rename = "job_id")]
    pub id: Uuid,
    #[serde(default)]
    pub kind: JobKind,
    pub state: JobState,
    /// First part of the uploaded documents' sources.
    pub root: String,
    pub tags: Vec<String>,
    /// Fields of JSON records that are taken; all if there are none.
    #[serde(default)]
    pub json_fields: Vec<String>,
    /// Where the uploaded files lie on the sender's machine, if the sender says so.
    #[serde(default)]
    pub folder: Option<String>,
    #[serde(default)]
    pub from_here: bool,
    #[serde(default)]
    pub same_folder: bool,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Files that were uploaded; an archive is one of them and many documents.
    pub files: usize,
    pub documents_found: usize,
    pub documents_done: usize,
    pub chunks: usize,
    pub added: usize,
    pub updated: usize,
    pub unchanged: usize,
    pub skipped: Vec<Skipped>,
    pub failed: Vec<Failure>,
    /// What is away and waited for.
    pub waits_for: Option<String>,
    /// Why it was given up.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    #[default]
    Upload,
    /// The collection is built anew with another embedder.
    Reindex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for the jobs before it.
    Queued,
    Running,
    /// All files were dealt with; some may have failed.
    Done,
    /// Given up; what was written until then stays.
    Failed,
}

impl JobState {
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Done | Self::Failed => true,
        }
    }
}

impl Job {
    pub(super) fn upload(id: Uuid, about: AboutUpload, files: usize) -> Self {
        let AboutUpload { root, tags, json_fields, folder, from_here, same_folder } = about;
        Self { root, tags, json_fields, folder, from_here, same_folder, files, ..Self::new(id, JobKind::Upload) }
    }

    pub(super) fn reindex(id: Uuid) -> Self {
        Self::new(id, JobKind::Reindex)
    }

    fn new(id: Uuid, kind: JobKind) -> Self {
        Self {
            id,
            kind,
            state: JobState::Queued,
            root: String::new(),
            tags: Vec::new(),
            json_fields: Vec::new(),
            folder: None,
            from_here: false,
            same_folder: false,
            created_at: Timestamp::now(),
            finished_at: None,
            files: 0,
            documents_found: 0,
            documents_done: 0,
            chunks: 0,
            added: 0,
            updated: 0,
            unchanged: 0,
            skipped: Vec::new(),
            failed: Vec::new(),
            waits_for: None,
            error: None,
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Discovered { .. } => self.documents_found += 1,
            Event::DiscoveryDone { files } => self.documents_found = *files,
            Event::Embedded { chunks } | Event::Reused { chunks } => self.chunks += chunks,
            Event::Waiting { reason } => self.waits_for = Some(reason.clone()),
            Event::Resumed => self.waits_for = None,
            Event::FileDone { outcome, .. } => {
                self.documents_done += 1;
                match outcome {
                    Outcome::Added { .. } => self.added += 1,
                    Outcome::Updated { .. } => self.updated += 1,
                    Outcome::Unchanged => self.unchanged += 1,
                    // In full when it is done.
                    Outcome::Removed | Outcome::Skipped { .. } | Outcome::Failed { .. } => {}
                }
            }
            Event::Chunked { .. } | Event::Gone { .. } => {}
        }
    }

    pub(super) fn finish(&mut self, outcome: Result<Report, String>) {
        self.finished_at = Some(Timestamp::now());
        self.waits_for = None;
        match outcome {
            Ok(report) => {
                let Report { added, updated, unchanged, skipped, failed, chunks, .. } = report;
                self.state = JobState::Done;
                (self.added, self.updated, self.unchanged, self.chunks) = (added, updated, unchanged, chunks);
                (self.skipped, self.failed) = (skipped, failed);
            }
            Err(error) => {
                self.state = JobState::Failed;
                self.error = Some(error);
            }
        }
    }

    pub(super) fn files_folder(&self, uploads: &Path) -> PathBuf {
        files_folder(uploads, self.id)
    }

    /// In one step: whoever reads it finds all of it or what was there before.
    pub(super) fn write(&self, uploads: &Path) -> io::Result<()> {
        let folder = folder(uploads, self.id);
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join("job.json.new");
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(RECORD))
    }

    /// Its documents are in the collection, and their files no longer needed.
    pub(super) fn write_without_files(&self, uploads: &Path) -> io::Result<()> {
        self.write(uploads)?;
        match fs::remove_dir_all(self.files_folder(uploads)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

pub(super) fn folder(uploads: &Path, id: Uuid) -> PathBuf {
    uploads.join(id.to_string())
}

pub(super) fn files_folder(uploads: &Path, id: Uuid) -> PathBuf {
    folder(uploads, id).join(FILES)
}

/// The jobs that are recorded below `uploads`. A folder without a record is an upload that broke off, and is removed.
pub(super) fn read_all(uploads: &Path) -> io::Result<Vec<Job>> {
    let entries = match fs::read_dir(uploads) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut jobs = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let is_ours =
            folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| Uuid::parse_str(name).is_ok());
        if !is_ours {
            continue;
        }
        match fs::read(folder.join(RECORD)) {
            Ok(record) => match serde_json::from_slice(&record) {
                Ok(job) => jobs.push(job),
                Err(_) => fs::remove_dir_all(&folder)?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir_all(&folder)?,
            Err(error) => return Err(error),
        }
    }
    Ok(jobs)
}
