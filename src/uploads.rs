//! Documents that arrive over HTTP. Their files are kept on disk as a job, which the pipeline of `ingest` then takes in, one
//! job after another; a job that was not done when the server stopped is done after its next start.

mod job;
mod upload;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use footnote_ingest::{Event, Extractor, IngestOptions, Report, ingest};
use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::library::Library;
pub use job::{Job, JobState};
pub(crate) use upload::create;
pub use upload::{InvalidSource, Upload};

/// How long a job can be asked about after it is done.
const DONE_JOBS_STAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The jobs of this server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    jobs: Mutex<HashMap<Uuid, Job>>,
    queue: mpsc::UnboundedSender<Uuid>,
}

/// The ids of jobs that wait, in order.
#[derive(Debug)]
pub struct Queue(mpsc::UnboundedReceiver<Uuid>);

impl Uploads {
    /// Reads what an earlier process left in `folder`: its jobs go on, and an upload that broke off is removed.
    pub fn open(folder: PathBuf) -> io::Result<(Self, Queue)> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let jobs = job::read_all(&folder)?;
        let mut unfinished: Vec<&Job> = jobs.iter().filter(|job| !job.state.is_final()).collect();
        unfinished.sort_by_key(|job| job.created_at);
        for job in unfinished {
            let _ = queue.send(job.id);
        }
        let jobs = Mutex::new(jobs.into_iter().map(|job| (job.id, job)).collect());
        Ok((Self(Arc::new(Inner { folder, jobs, queue })), Queue(waiting)))
    }

    /// A folder for the files of a new job, which are removed again unless it is submitted.
    pub fn begin(&self) -> io::Result<Upload> {
        Upload::new(&self.0.folder, Uuid::new_v4())
    }

    /// Keeps an upload as a job and lets it wait for its turn.
    pub fn submit(&self, upload: Upload, root: String, tags: Vec<String>) -> io::Result<Job> {
        let job = Job::new(upload.id(), root, tags, upload.files());
        job.write(&self.0.folder)?;
        upload.keep();
        self.jobs().insert(job.id, job.clone());
        let _ = self.0.queue.send(job.id);
        Ok(job)
    }

    pub fn job(&self, id: Uuid) -> Option<Job> {
        self.jobs().get(&id).cloned()
    }

    /// Does the jobs that wait, and those to come.
    pub async fn work(self, mut queue: Queue, library: Library, extractor: Extractor) {
        while let Some(id) = queue.0.recv().await {
            self.forget_old();
            let Some(job) = self.job(id) else { continue };
            self.update(id, |job| job.state = JobState::Running);
            let outcome = self.run(&job, &library, &extractor).await;
            self.update(id, |job| job.finish(outcome));
            let (folder, done) = (self.0.folder.clone(), self.job(id));
            let kept = tokio::task::spawn_blocking(move || done.map_or(Ok(()), |job| job.write_without_files(&folder)));
            if let Err(error) = kept.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                tracing::error!(job.id = %id, error = &error as &dyn std::error::Error, "a finished upload cannot be recorded");
            }
        }
    }

    async fn run(&self, job: &Job, library: &Library, extractor: &Extractor) -> Result<Report, String> {
        let waits = |waits_for| self.update(job.id, |job| job.waits_for = waits_for);
        let opened = library.wait_until_open(|_| waits(Some("the vector store or the embedder".to_owned()))).await;
        waits(None);
        let options = IngestOptions {
            root_name: Some(job.root.clone()),
            // The folder is ours, and only for this job.
            remember_folders: false,
            tags: job.tags.clone(),
            longest_outage: Duration::MAX,
            extractor: extractor.clone(),
            ..IngestOptions::default()
        };
        let progress = |event: Event| self.update(job.id, |job| job.note(&event));
        let files = job.files_folder(&self.0.folder);
        let outcome = ingest(&[files], &opened.collection, &opened.embedder, &options, progress).await;
        outcome.map_err(|stopped| {
            let error = format!("{:#}", anyhow::Error::new(stopped.error));
            tracing::error!(job.id = %job.id, error, "an upload stopped before its end");
            error
        })
    }

    fn forget_old(&self) {
        let oldest = Timestamp::now() - DONE_JOBS_STAY;
        let is_old = |job: &Job| job.finished_at.is_some_and(|finished| finished < oldest);
        let old: Vec<Uuid> = self.jobs().values().filter(|job| is_old(job)).map(|job| job.id).collect();
        for id in old {
            self.jobs().remove(&id);
            let _ = std::fs::remove_dir_all(job::folder(&self.0.folder, id));
        }
    }

    fn update(&self, id: Uuid, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs().get_mut(&id) {
            change(job);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Uuid, Job>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the uploads of a server are, below its data folder.
pub fn folder_in(data_dir: &Path) -> PathBuf {
    data_dir.join("uploads")
}
