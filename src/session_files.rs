//! `footnote sessions export` and `import`: conversations as JSON Lines, one session a line, to move them from one store
//! to another or to keep a copy. Both work on the store itself; the file of a running server's embedded store is in use,
//! and they say so.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::{ExportOptions, ImportOptions, SessionStoreOptions, SessionsKind};
use crate::parts::{self, Journaling};
use crate::sessions::{ExportedSession, Imported, SessionKey, Sessions, embedded_file};

/// Sessions in one page of the listing.
const PAGE: usize = 100;

/// Writes the sessions that were named, or all, to standard output. Exit status 1 if one that was named is not there.
pub async fn export(options: &ExportOptions) -> anyhow::Result<ExitCode> {
    let SessionStoreOptions { sessions, data_dir } = &options.store;
    if sessions.kind() == SessionsKind::Embedded && !embedded_file(data_dir).is_file() {
        bail!("no sessions were ever kept in {}; name the server's data folder with --data-dir", data_dir.display());
    }
    let sessions = open(&options.store).await?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut exported = 0;
    let mut missing = Vec::new();
    if options.session_id.is_empty() {
        let mut cursor = None;
        loop {
            let page = sessions.list(SessionKey::DEFAULT_TENANT, cursor.as_deref(), PAGE).await?;
            for listed in page.sessions {
                // One that ended since it was listed is no session any more.
                exported += usize::from(write_line(&sessions, &listed.session_id, &mut output).await?);
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    for session_id in &options.session_id {
        if write_line(&sessions, session_id, &mut output).await? {
            exported += 1;
        } else {
            missing.push(session_id);
        }
    }
    output.flush().context("the sessions cannot be written")?;
    sessions.shutdown().await;
    for session_id in &missing {
        eprintln!("there is no session {session_id}");
    }
    eprintln!("{exported} sessions exported");
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn write_line(sessions: &Sessions, session_id: &str, output: &mut impl Write) -> anyhow::Result<bool> {
    let key = SessionKey::new(session_id).with_context(|| format!("the session id {session_id:?}"))?;
    let Some(session) = sessions.export(&key).await? else { return Ok(false) };
    serde_json::to_writer(&mut *output, &session).context("the sessions cannot be written")?;
    output.write_all(b"\n").context("the sessions cannot be written")?;
    Ok(true)
}

/// Reads what `export` wrote. Exit status 1 if a line could not be taken; the others are in the store.
pub async fn import(options: &ImportOptions) -> anyhow::Result<ExitCode> {
    let input: Box<dyn BufRead> = match &options.file {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
            Box::new(BufReader::new(file))
        }
        None => Box::new(BufReader::new(io::stdin())),
    };
    let sessions = open(&options.store).await?;
    let (mut added, mut already_there, mut failed) = (0, 0, 0);
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.context("the sessions cannot be read")?;
        if line.trim().is_empty() {
            continue;
        }
        match import_line(&sessions, &line, options.replace).await {
            Ok(Imported::Added) => added += 1,
            Ok(Imported::AlreadyThere) => already_there += 1,
            Err(error) => {
                failed += 1;
                eprintln!("line {number}: {error:#}");
            }
        }
    }
    sessions.shutdown().await;
    eprintln!("{added} sessions imported, {already_there} already there{}, {failed} failed", hint(already_there));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hint(already_there: usize) -> &'static str {
    if already_there > 0 { " (left as they are; --replace replaces them)" } else { "" }
}

async fn import_line(sessions: &Sessions, line: &str, replace: bool) -> anyhow::Result<Imported> {
    let session: ExportedSession = serde_json::from_str(line).context("this is not an exported session")?;
    Ok(sessions.import(session, replace).await?)
}

async fn open(store: &SessionStoreOptions) -> anyhow::Result<Sessions> {
    if store.sessions.kind() == SessionsKind::Memory {
        bail!("sessions in memory are known to their server only: name a store with --redis-url or --data-dir");
    }
    parts::sessions(&store.sessions, &store.data_dir, Journaling::Off).await
}
