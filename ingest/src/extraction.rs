//! The first half of a run by itself: the text of files, written to files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::StreamExt;

use crate::discover::{self, Candidate};
use crate::error::Error;
use crate::extract::ExtractOptions;
use crate::extractor::Extractor;
use crate::pipeline::{on_a_blocking_thread, prepare, receive, start_walk, threads};
use crate::report::{Event, Outcome, Progress, Recorder, Report, StageSeconds};

/// Writes the text of each file at `paths` to `out/<relative path>.txt`; with several paths, those of each are in a folder
/// of its name. Nothing is indexed.
pub async fn extract_to(
    out: &Path,
    paths: &[PathBuf],
    options: &ExtractOptions,
    extractor: &Extractor,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let started = Instant::now();
    let recorder = Recorder::new(progress);
    let roots = discover::roots(paths, None)?;
    let several = !roots.unreached.is_empty() || roots.there.iter().any(|root| root.name != roots.there[0].name);
    let files = receive(start_walk(roots)).map(|found| {
        let recorder = &recorder;
        async move {
            let source = found.source().to_owned();
            let outcome = match found.file() {
                Err(outcome) => outcome,
                Ok(candidate) => {
                    let bytes = candidate.bytes;
                    recorder.tell(Event::Discovered { source: source.clone(), bytes });
                    extract_one(out, several, candidate, options, extractor).await.unwrap_or_else(|outcome| outcome)
                }
            };
            recorder.done(source, outcome);
        }
    });
    files.buffer_unordered(threads()).collect::<()>().await;
    Ok(recorder.finish(started.elapsed().as_secs_f64(), StageSeconds::default()))
}

async fn extract_one(
    out: &Path,
    several: bool,
    candidate: Candidate,
    options: &ExtractOptions,
    extractor: &Extractor,
) -> Result<Outcome, Outcome> {
    let opening = extractor.clone();
    let (file, format, bytes) = on_a_blocking_thread(move || prepare::open(candidate, &opening)?.read()).await?;
    let extracted = extractor.extract(&file.source, format, bytes, options).await;
    let text = extracted.map_err(|error| file.outcome(&error))?.text;
    let below_root = file.source.split_once('/').map_or(file.source.as_str(), |(_, below)| below);
    let target = out.join(format!("{}.txt", if several { &file.source } else { below_root }));
    on_a_blocking_thread(move || write(&target, &text).map_err(|error| cannot_write(&target, &error))).await?;
    Ok(Outcome::Added { chunks: 0 })
}

fn write(target: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(target, text)
}

fn cannot_write(target: &Path, error: &io::Error) -> Outcome {
    Outcome::Failed {
        reason: format!("{} cannot be written: {error}", target.display()),
        advice: "give another folder with --out".to_owned(),
    }
}
