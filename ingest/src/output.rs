//! What the person, or the program, that runs `ingest` gets to see.

mod bar;

use std::io::{IsTerminal, Write};

use footnote_ingest::{Event, Outcome, Report};
use serde_json::json;

use crate::cli::OutputFlags;
use bar::Bar;

/// Progress and failures go to standard error, the summary to standard output, and JSON lines to standard output alone.
pub(super) enum Output {
    /// A bar that moves.
    Bar(Bar),
    /// A line for each file that changed something.
    Lines,
    /// Failures only.
    Quiet,
    Json,
}

impl Output {
    pub(super) fn new(OutputFlags { quiet, json }: OutputFlags) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) if std::io::stderr().is_terminal() => Self::Bar(Bar::new()),
            (false, false) => Self::Lines,
        }
    }

    pub(super) fn text_receivers(&self, receivers: &[String]) {
        match self {
            Self::Bar(_) | Self::Lines => receivers.iter().for_each(|receiver| print_error(receiver)),
            Self::Json if !receivers.is_empty() => print_json(&json!({"event": "text_receivers", "hosts": receivers})),
            Self::Json | Self::Quiet => {}
        }
    }

    /// What the person should know before it begins.
    pub(super) fn note(&self, note: &str) {
        match self {
            Self::Bar(_) | Self::Lines => print_error(note),
            Self::Json | Self::Quiet => {}
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match self {
            Self::Bar(bar) => bar.event(event),
            Self::Lines => {
                if let Some(line) = line(event) {
                    print_error(&line);
                }
            }
            Self::Quiet => {
                if let Event::FileDone { outcome: Outcome::Failed { .. }, .. } = event
                    && let Some(line) = line(event)
                {
                    print_error(&line);
                }
            }
            Self::Json => print_json(&serde_json::to_value(event).expect("an event is JSON")),
        }
    }

    pub(super) fn end_progress(&self) {
        if let Self::Bar(bar) = self {
            bar.end();
        }
    }

    pub(super) fn summary(&self, report: &Report, dry_run: bool) {
        match self {
            Self::Bar(_) | Self::Lines if dry_run => {
                print(&format!("nothing was written; this would be done:\n{}", summary(report)));
            }
            Self::Bar(_) | Self::Lines => print(&summary(report)),
            Self::Quiet => {}
            Self::Json => print_json(&ending("finished", report)),
        }
    }

    /// Of `ingest extract`.
    pub(super) fn extracted(&self, report: &Report) {
        match self {
            Self::Bar(_) | Self::Lines => {
                let (skipped, failed) = (report.skipped.len(), report.failed.len());
                let written = count(report.added, "text");
                let mut lines = vec![format!("{written} written, {skipped} skipped, {failed} failed")];
                lines.extend(problems(report));
                print(&lines.join("\n"));
            }
            Self::Quiet => {}
            Self::Json => print_json(&ending("finished", report)),
        }
    }

    /// What was done until the run was stopped for this reason.
    pub(super) fn stopped(&self, report: &Report, reason: &str) {
        match self {
            Self::Bar(_) | Self::Lines => {
                print(&format!(
                    "stopped before the end: what was written stays, and the next run goes on\n{}",
                    summary(report)
                ));
            }
            Self::Quiet => {}
            Self::Json => {
                let mut stopped = ending("stopped", report);
                stopped["reason"] = json!(reason);
                print_json(&stopped);
            }
        }
    }
}

/// What is worth a line of its own; unchanged files are not.
fn line(event: &Event) -> Option<String> {
    let (source, outcome) = match event {
        Event::FileDone { source, outcome } => (source, outcome),
        Event::Waiting { reason } => return Some(format!("waiting: {}", printable(reason))),
        Event::Resumed => return Some("going on".to_owned()),
        Event::Discovered { .. }
        | Event::DiscoveryDone { .. }
        | Event::Chunked { .. }
        | Event::Embedded { .. }
        | Event::Reused { .. }
        | Event::Gone { .. } => return None,
    };
    let source = printable(source);
    match outcome {
        Outcome::Added { chunks } => Some(format!("added {source}{}", in_chunks(*chunks))),
        Outcome::Updated { chunks } => Some(format!("updated {source}{}", in_chunks(*chunks))),
        Outcome::Unchanged => None,
        Outcome::Removed => Some(format!("removed {source}")),
        Outcome::Skipped { reason } => Some(format!("skipped {source}: {reason}")),
        Outcome::Failed { reason, advice } => Some(format!("failed {source}: {}; {advice}", printable(reason))),
    }
}

fn summary(report: &Report) -> String {
    let mut lines = vec![
        format!(
            "{}: {} added, {} updated, {} unchanged, {} removed, {} skipped, {} failed",
            count(report.files, "file"),
            report.added,
            report.updated,
            report.unchanged,
            report.removed,
            report.skipped.len(),
            report.failed.len()
        ),
        format!(
            "{} in {:.1} s, {:.1} chunks/s",
            count(report.chunks, "chunk"),
            report.seconds,
            report.chunks_per_second()
        ),
    ];
    if report.reused > 0 {
        lines.push(format!("{} had not changed and kept their vectors", count(report.reused, "chunk")));
    }
    if report.gone > 0 {
        let gone = count(report.gone, "document");
        lines.push(format!("{gone} without a file any more: ingest --prune removes them"));
    }
    lines.extend(problems(report));
    lines.join("\n")
}

fn problems(report: &Report) -> impl Iterator<Item = String> {
    let skipped =
        report.skipped.iter().map(|skipped| format!("  skipped {}: {}", printable(&skipped.source), skipped.reason));
    let failed = report.failed.iter().map(|failed| {
        format!("  failed {}: {}; {}", printable(&failed.source), printable(&failed.reason), failed.advice)
    });
    skipped.chain(failed)
}

/// Nothing where chunks are somebody else's business.
fn in_chunks(chunks: usize) -> String {
    if chunks == 0 { String::new() } else { format!(" ({})", count(chunks, "chunk")) }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// File names may hold anything, also what a terminal obeys.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

fn ending(event: &str, report: &Report) -> serde_json::Value {
    let mut ending = serde_json::to_value(report).expect("a report is JSON");
    ending["event"] = json!(event);
    ending["chunks_per_second"] = json!(report.chunks_per_second());
    ending
}

fn print_json(value: &serde_json::Value) {
    print(&value.to_string());
}

/// A reader that has gone away, `| head`, is no reason to stop half-way or to panic.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

pub(super) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
