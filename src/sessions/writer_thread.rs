//! A thread that does all writing to one file, in the order in which work is queued. What the work is, and how much of it
//! goes into one transaction, is told where the file is: in `embedded` and in `journal`.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::error::Error;

pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

#[derive(Debug)]
pub(super) struct WriterThread<Work> {
    queue: Sender<Work>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What is told to whoever comes after the end.
    stopped: &'static str,
}

impl<Work: Send + 'static> WriterThread<Work> {
    pub(super) fn start(
        name: &str,
        stopped: &'static str,
        write: impl FnOnce(&Receiver<Work>) + Send + 'static,
    ) -> Self {
        let (queue, queued) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || write(&queued)).expect("a thread can be started");
        Self { queue, thread: Mutex::new(Some(thread)), stopped }
    }

    /// Queues work and waits until it is on disk.
    pub(super) async fn run<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, Error> {
        let (reply, done) = oneshot::channel();
        let stopped = || Error::Unavailable(Some(self.stopped.into()));
        self.queue.send(work(reply)).map_err(|_| stopped())?;
        done.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Queues work that nobody waits for; after the end it is not done.
    pub(super) fn queue(&self, work: Work) {
        let _ = self.queue.send(work);
    }

    /// Queues `last`, which must end the thread, and waits for that.
    pub(super) async fn end(&self, last: Work) {
        self.queue(last);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}
