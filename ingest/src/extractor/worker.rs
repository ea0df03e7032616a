//! The process that reads files for another one, which sends their bytes and may end it at any time.

use std::ffi::OsString;
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::wire::{self, Answer, Request};
use crate::extract::{ExtractError, Extracted};

/// Parsers recurse over what is nested; the usual 8 MiB are soon used up.
const STACK: usize = 256 << 20;

/// How long it outlives the time that a file may take: the one who waits ends it before, if it is still there.
const GRACE: Duration = Duration::from_secs(5);

/// For a `main` to begin with. `arguments` are those of the program: if the first one says that this is to be such a
/// process, reads files from standard input and writes what they say to standard output, until the input ends.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter();
    if arguments.next()? != super::WORKER_ARGUMENT {
        return None;
    }
    let mut numbers = arguments.filter_map(|argument| argument.to_str()?.parse::<u64>().ok());
    let (Some(memory), Some(seconds)) = (numbers.next(), numbers.next()) else { return Some(ExitCode::from(2)) };
    limit(memory);
    let (began_or_ended, watched) = mpsc::channel();
    std::thread::spawn(move || watch(&watched, Duration::from_secs(seconds) + GRACE));
    let reader = std::thread::Builder::new().stack_size(STACK).spawn(move || read_files(&began_or_ended));
    Some(match reader.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    })
}

/// What a file makes a parser do stays within bounds: memory, and nothing written to disk, not even a core dump.
fn limit(memory: u64) {
    #[cfg(unix)]
    for (resource, most) in [(rlimit::Resource::AS, memory), (rlimit::Resource::CORE, 0), (rlimit::Resource::FSIZE, 0)]
    {
        // Where there is no such limit, the limit of time is left.
        let _ = resource.set(most, most);
    }
    #[cfg(not(unix))]
    let _ = memory;
}

/// Ends the process when a file takes too long, for the case that whoever waited for it is gone.
fn watch(began_or_ended: &mpsc::Receiver<()>, longest: Duration) {
    loop {
        // Begun.
        if began_or_ended.recv().is_err() {
            return;
        }
        match began_or_ended.recv_timeout(longest) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => std::process::exit(1),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn read_files(began_or_ended: &mpsc::Sender<()>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let request: Request = serde_json::from_slice(&line)?;
        let mut bytes = vec![0; request.bytes];
        input.read_exact(&mut bytes)?;
        let _ = began_or_ended.send(());
        let outcome: Result<Extracted, ExtractError> = request.format.extract(&request.name, bytes, &request.options);
        let _ = began_or_ended.send(());
        let (answer, text) = Answer::new(outcome);
        output.write_all(&wire::line(&answer)?)?;
        output.write_all(text.as_bytes())?;
        output.flush()?;
    }
}
