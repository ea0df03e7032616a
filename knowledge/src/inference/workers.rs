//! The threads that a network runs on and the queue they share. Queries overtake documents; within each, first come, first served.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use tokio::sync::oneshot;

use super::Error;

#[derive(Clone, Copy)]
pub(crate) enum Priority {
    Query,
    Document,
}

/// Handle of the threads; they end when it is dropped.
pub(crate) struct Workers<Input> {
    queue: Arc<Queue<Input>>,
}

/// What there is to do for one of the threads.
pub(super) struct Jobs<Input>(Arc<Queue<Input>>);

struct Job<Input> {
    input: Input,
    reply: oneshot::Sender<Result<Vec<f32>, Error>>,
}

struct Queue<Input> {
    waiting: Mutex<Waiting<Input>>,
    changed: Condvar,
}

struct Waiting<Input> {
    queries: VecDeque<Job<Input>>,
    documents: VecDeque<Job<Input>>,
    closed: bool,
}

impl<Input: Send + 'static> Workers<Input> {
    /// `new_thread` makes what a thread does with the jobs until there are no more; `name` is what the threads are called.
    pub(super) fn start<Thread>(
        name: &str,
        count: NonZeroUsize,
        new_thread: impl Fn(Jobs<Input>) -> Thread,
    ) -> Result<Self, Error>
    where
        Thread: FnOnce() + Send + 'static,
    {
        // Made first, so that a thread that cannot be started closes the queue of those before it.
        let waiting = Waiting { queries: VecDeque::new(), documents: VecDeque::new(), closed: false };
        let queue = Queue { waiting: Mutex::new(waiting), changed: Condvar::new() };
        let workers = Self { queue: Arc::new(queue) };
        for number in 0..count.get() {
            let work = new_thread(Jobs(Arc::clone(&workers.queue)));
            thread::Builder::new().name(format!("{name}-{number}")).spawn(work)?;
        }
        Ok(workers)
    }

    /// Dropping the receiver cancels the job unless it has begun.
    pub(crate) fn submit(&self, input: Input, priority: Priority) -> oneshot::Receiver<Result<Vec<f32>, Error>> {
        let (reply, output) = oneshot::channel();
        let job = Job { input, reply };
        let mut waiting = self.queue.lock();
        match priority {
            Priority::Query => waiting.queries.push_back(job),
            Priority::Document => waiting.documents.push_back(job),
        }
        drop(waiting);
        self.queue.changed.notify_one();
        output
    }
}

impl<Input> Drop for Workers<Input> {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
    }
}

impl<Input> Jobs<Input> {
    /// Answers each job with what `run` makes of it; returns when the workers are dropped.
    pub(super) fn answer_all(self, mut run: impl FnMut(&Input) -> Result<Vec<f32>, Error>) {
        while let Some(job) = self.0.next() {
            if job.reply.is_closed() {
                continue;
            }
            // A panic costs its own input, not the thread. Sessions keep no state between runs that it could have broken.
            let output = catch_unwind(AssertUnwindSafe(|| run(&job.input)));
            let output = output.unwrap_or_else(|_| Err("the model panicked".into()));
            // Fails only if the caller has gone.
            let _ = job.reply.send(output);
        }
    }
}

impl<Input> Queue<Input> {
    /// Waits for a job; `None` once the queue is closed.
    fn next(&self) -> Option<Job<Input>> {
        let idle = |waiting: &mut Waiting<Input>| {
            !waiting.closed && waiting.queries.is_empty() && waiting.documents.is_empty()
        };
        let mut waiting = self.changed.wait_while(self.lock(), idle).expect("nothing panics holding the queue");
        if waiting.closed {
            return None;
        }
        waiting.queries.pop_front().or_else(|| waiting.documents.pop_front())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<Input>> {
        self.waiting.lock().expect("nothing panics holding the queue")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    /// One worker that reports the tokens it begins with, then waits to be let go on; 13 makes it panic.
    fn supervised() -> (Workers<Vec<u32>>, mpsc::Receiver<u32>, mpsc::Sender<()>) {
        let (begun, begins) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let gate = Mutex::new(Some(gate));
        let workers = Workers::start("test", ONE, |jobs: Jobs<Vec<u32>>| {
            let (begun, gate) = (begun.clone(), gate.lock().unwrap().take().unwrap());
            let run = move |tokens: &Vec<u32>| {
                begun.send(tokens[0]).unwrap();
                gate.recv().unwrap();
                assert!(tokens[0] != 13, "unlucky");
                Ok(vec![tokens[0] as f32])
            };
            move || jobs.answer_all(run)
        });
        (workers.unwrap(), begins, go)
    }

    #[test]
    fn a_query_overtakes_waiting_documents() {
        let (workers, begins, go) = supervised();
        let documents: Vec<_> = (1..=3).map(|id| workers.submit(vec![id], Priority::Document)).collect();
        assert_eq!(begins.recv().unwrap(), 1);
        let query = workers.submit(vec![9], Priority::Query);
        (0..4).for_each(|_| go.send(()).unwrap());
        assert_eq!(begins.iter().take(3).collect::<Vec<_>>(), [9, 2, 3]);
        assert_eq!(query.blocking_recv().unwrap().unwrap(), [9.0]);
        let documents: Vec<_> = documents.into_iter().map(|vector| vector.blocking_recv().unwrap().unwrap()).collect();
        assert_eq!(documents, [[1.0], [2.0], [3.0]]);
    }

    #[test]
    fn a_panic_fails_its_own_text_only() {
        let (workers, _begins, go) = supervised();
        let (unlucky, next) = (workers.submit(vec![13], Priority::Query), workers.submit(vec![1], Priority::Query));
        (0..2).for_each(|_| go.send(()).unwrap());
        assert!(unlucky.blocking_recv().unwrap().is_err());
        assert_eq!(next.blocking_recv().unwrap().unwrap(), [1.0]);
    }

    #[test]
    fn what_nobody_waits_for_is_not_embedded() {
        let (workers, begins, go) = supervised();
        let first = workers.submit(vec![1], Priority::Document);
        assert_eq!(begins.recv().unwrap(), 1);
        drop(workers.submit(vec![2], Priority::Document));
        let third = workers.submit(vec![3], Priority::Document);
        (0..2).for_each(|_| go.send(()).unwrap());
        assert_eq!(begins.recv().unwrap(), 3);
        first.blocking_recv().unwrap().unwrap();
        third.blocking_recv().unwrap().unwrap();
    }

    #[test]
    fn callers_left_waiting_are_told_when_the_workers_go() {
        let (workers, begins, go) = supervised();
        let (first, second) = (workers.submit(vec![1], Priority::Query), workers.submit(vec![2], Priority::Query));
        assert_eq!(begins.recv().unwrap(), 1);
        drop(workers);
        go.send(()).unwrap();
        assert_eq!(first.blocking_recv().unwrap().unwrap(), [1.0]);
        assert!(second.blocking_recv().is_err());
    }
}
