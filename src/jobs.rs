//! What the server was asked to do and does by and by, one job after another: taking in documents that arrived over HTTP,
//! and building the collection anew with another embedder.
//!
//! Jobs are kept on disk, the files of an upload with them: an upload that was not done when the server stopped is done
//! after its next start.

mod job;
mod reindex;
mod upload;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use footnote_ingest::extract::ExtractOptions;
use footnote_ingest::{Event, Extractor, IngestOptions, Origin, Report, ingest};
use footnote_knowledge::options::EmbedderChoice;
use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::library::{Library, Opened};
use crate::server_folder::ServerFolder;
pub use job::{Job, JobKind, JobState};
pub(crate) use upload::create;
pub use upload::{AboutUpload, InvalidSource, Upload};

/// How long a job can be asked about after it is done.
const DONE_JOBS_STAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The jobs of this server; cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    jobs: Mutex<HashMap<Uuid, Job>>,
    queue: mpsc::UnboundedSender<Waiting>,
}

/// The jobs that wait, in order.
pub struct Queue(mpsc::UnboundedReceiver<Waiting>);

struct Waiting {
    id: Uuid,
    task: Task,
}

enum Task {
    Upload,
    /// With the key of an endpoint, which is nothing to keep on disk.
    Reindex(EmbedderChoice),
}

/// What jobs are done with.
pub struct Means {
    pub library: Library,
    pub extractor: Extractor,
    /// Told of another embedder.
    pub server_folder: Option<Arc<ServerFolder>>,
}

impl Jobs {
    /// Reads what an earlier process left in `folder`: its uploads go on, and one that broke off is removed.
    pub fn open(folder: PathBuf) -> io::Result<(Self, Queue)> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let mut jobs = job::read_all(&folder)?;
        jobs.sort_by_key(|job| job.created_at);
        for job in jobs.iter_mut().filter(|job| !job.state.is_final()) {
            match job.kind {
                JobKind::Upload => drop(queue.send(Waiting { id: job.id, task: Task::Upload })),
                JobKind::Reindex => {
                    job.finish(Err(reindex::STOPPED.to_owned()));
                    job.write(&folder)?;
                }
            }
        }
        let jobs = Mutex::new(jobs.into_iter().map(|job| (job.id, job)).collect());
        Ok((Self(Arc::new(Inner { folder, jobs, queue })), Queue(waiting)))
    }

    /// A folder for the files of a new job, which are removed again unless it is submitted.
    pub fn begin_upload(&self) -> io::Result<Upload> {
        Upload::new(&self.0.folder, Uuid::new_v4())
    }

    /// Keeps an upload as a job and lets it wait for its turn.
    pub fn submit_upload(&self, upload: Upload, about: AboutUpload) -> io::Result<Job> {
        let job = Job::upload(upload.id(), about, upload.files());
        job.write(&self.0.folder)?;
        upload.keep();
        Ok(self.submit(job, Task::Upload))
    }

    /// Lets the rebuilding of the collection with this embedder wait for its turn.
    pub fn submit_reindex(&self, embedder: EmbedderChoice) -> io::Result<Job> {
        let job = Job::reindex(Uuid::new_v4());
        job.write(&self.0.folder)?;
        Ok(self.submit(job, Task::Reindex(embedder)))
    }

    fn submit(&self, job: Job, task: Task) -> Job {
        self.jobs().insert(job.id, job.clone());
        let _ = self.0.queue.send(Waiting { id: job.id, task });
        job
    }

    pub fn job(&self, id: Uuid) -> Option<Job> {
        self.jobs().get(&id).cloned()
    }

    /// Does the jobs that wait, and those to come.
    pub async fn work(self, mut queue: Queue, means: Means) {
        while let Some(Waiting { id, task }) = queue.0.recv().await {
            self.forget_old();
            let Some(job) = self.job(id) else { continue };
            self.update(id, |job| job.state = JobState::Running);
            let outcome = match task {
                Task::Upload => self.take_in(&job, &means).await,
                Task::Reindex(embedder) => self.reindex(&job, embedder, &means).await,
            };
            if let Err(error) = &outcome {
                tracing::error!(job.id = %id, error, "a job stopped before its end");
            }
            self.update(id, |job| job.finish(outcome));
            let (folder, done) = (self.0.folder.clone(), self.job(id));
            let kept = tokio::task::spawn_blocking(move || done.map_or(Ok(()), |job| job.write_without_files(&folder)));
            if let Err(error) = kept.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                tracing::error!(job.id = %id, error = &error as &dyn std::error::Error, "a finished job cannot be recorded");
            }
        }
    }

    /// The documents of an upload.
    async fn take_in(&self, job: &Job, Means { library, extractor, .. }: &Means) -> Result<Report, String> {
        let waits = |waits_for| self.update(job.id, |job| job.waits_for = waits_for);
        let writing = library.wait_to_write(|_| waits(Some("the vector store or the embedder".to_owned()))).await;
        waits(None);
        let options = IngestOptions {
            root_name: Some(job.root.clone()),
            // The folder is ours, and only for this job.
            origin: Origin::Sent {
                from: job.folder.clone().map(PathBuf::from),
                here: job.from_here,
                same_folder: job.same_folder,
            },
            tags: job.tags.clone(),
            longest_outage: Duration::MAX,
            extract: ExtractOptions { json_fields: job.json_fields.clone() },
            extractor: extractor.clone(),
            ..IngestOptions::default()
        };
        let progress = |event: Event| self.update(job.id, |job| job.note(&event));
        let files = job.files_folder(&self.0.folder);
        let Opened { collection, embedder } = &*writing.opened;
        let outcome = ingest(&[files], collection, embedder, &options, &progress).await;
        outcome.map_err(|stopped| whole(stopped.error))
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

/// The error and what it comes from.
fn whole(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

/// Where the uploads of a server are, below its data folder.
pub fn folder_in(data_dir: &Path) -> PathBuf {
    data_dir.join("uploads")
}
