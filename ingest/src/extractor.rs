//! Where files are parsed: in processes of their own, so that one which crashes, hangs or wants all memory costs a file
//! and no more. Each such process reads one file after another and is used again, until it has read many or failed.

mod wire;
mod worker;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use footnote_knowledge::options::FileLimitOptions;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::extract::{ExtractError, ExtractOptions, Extracted, Format};
use wire::Request;
pub use worker::run as run_if_worker;

/// What a program is told, as its first argument, to be such a process.
const WORKER_ARGUMENT: &str = "extract-worker";

/// Files that one process reads before another takes its place: what parsers leave behind in memory goes with it.
const FILES_PER_PROCESS: usize = 500;

/// Parses files; cheap to clone, all clones share the processes.
#[derive(Debug, Clone, Default)]
pub struct Extractor(Option<Arc<Processes>>);

/// What reading one file may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub time: Duration,
    /// Bytes of address space.
    pub memory: u64,
    /// The most that a file may have, in place of what is usual for its format.
    pub bytes: Option<u64>,
}

impl From<&FileLimitOptions> for Limits {
    fn from(options: &FileLimitOptions) -> Self {
        let FileLimitOptions { max_file_seconds, max_file_memory, max_file_size } = options;
        Self {
            time: Duration::from_secs(*max_file_seconds),
            memory: max_file_memory << 20,
            bytes: max_file_size.map(|mib| mib << 20),
        }
    }
}

impl Default for Limits {
    /// A thousand pages of PDF take a few seconds and some hundred MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory: 2 << 30, bytes: None }
    }
}

#[derive(Debug)]
struct Processes {
    program: PathBuf,
    limits: Limits,
    idle: Mutex<Vec<Process>>,
}

#[derive(Debug)]
struct Process {
    /// Killed when dropped.
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    files_read: usize,
}

impl Extractor {
    /// Parses in this process: what a parser does wrong, this process suffers.
    pub fn in_this_process() -> Self {
        Self(None)
    }

    /// Parses in processes of `program`, whose `main` must begin with [`run_if_worker`].
    pub fn in_processes(program: PathBuf, limits: Limits) -> Self {
        Self(Some(Arc::new(Processes { program, limits, idle: Mutex::default() })))
    }

    /// Parses in processes of the program that is running, whose `main` must begin with [`run_if_worker`].
    pub fn in_processes_of_this_program(limits: Limits) -> std::io::Result<Self> {
        // On Linux it can be started by this even when the file was replaced or removed meanwhile.
        let link = PathBuf::from("/proc/self/exe");
        let program = if link.exists() { link } else { std::env::current_exe()? };
        Ok(Self::in_processes(program, limits))
    }

    /// The most that a file of this format may have.
    pub(crate) fn largest_bytes(&self, format: Format) -> u64 {
        self.0.as_ref().and_then(|processes| processes.limits.bytes).unwrap_or_else(|| format.largest_bytes())
    }

    pub async fn extract(
        &self,
        name: &str,
        format: Format,
        bytes: Vec<u8>,
        options: &ExtractOptions,
    ) -> Result<Extracted, ExtractError> {
        let request = Request { name: name.to_owned(), format, options: options.clone(), bytes: bytes.len() };
        match &self.0 {
            Some(processes) if format.has_parser() => processes.extract(request, &bytes).await,
            Some(_) | None => {
                let Request { name, options, .. } = request;
                let extracted = tokio::task::spawn_blocking(move || format.extract(&name, bytes, &options));
                extracted.await.unwrap_or(Err(ExtractError::Panicked))
            }
        }
    }
}

impl Processes {
    async fn extract(&self, request: Request, bytes: &[u8]) -> Result<Extracted, ExtractError> {
        let mut process = match self.idle().pop() {
            Some(process) => process,
            None => self.start().map_err(|error| ExtractError::NoProcess(error.to_string()))?,
        };
        let answer = tokio::time::timeout(self.limits.time, process.extract(&request, bytes)).await;
        match answer {
            Ok(Ok(extracted)) => {
                if process.files_read < FILES_PER_PROCESS {
                    self.idle().push(process);
                }
                extracted
            }
            Ok(Err(_)) => Err(ExtractError::Crashed),
            Err(_) => Err(ExtractError::TimedOut(self.limits.time.as_secs())),
        }
    }

    fn start(&self) -> std::io::Result<Process> {
        let mut child = Command::new(&self.program)
            .arg(WORKER_ARGUMENT)
            .arg(self.limits.memory.to_string())
            .arg(self.limits.time.as_secs().to_string())
            // It has no use for keys and addresses.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("the process has no pipes"));
        };
        Ok(Process { _child: child, to, from: BufReader::new(from), files_read: 0 })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// The outer error is that of the process, the inner one that of the file.
    async fn extract(&mut self, request: &Request, bytes: &[u8]) -> std::io::Result<Result<Extracted, ExtractError>> {
        self.files_read += 1;
        self.to.write_all(&wire::line(request)?).await?;
        self.to.write_all(bytes).await?;
        self.to.flush().await?;
        wire::read_answer(&mut self.from).await
    }
}
