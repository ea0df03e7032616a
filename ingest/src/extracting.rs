//! `ingest extract`: what the collection would hold of each file, as files to look at.

use std::process::ExitCode;

use footnote_ingest::extract_to;

use crate::cli::ExtractCommand;
use crate::ingesting::exit_code;
use crate::output::Output;

pub(super) async fn run(command: &ExtractCommand) -> anyhow::Result<ExitCode> {
    let output = Output::new(command.output);
    let extractor = command.extract.extractor()?;
    let options = command.extract.options();
    let progress = |event| output.event(&event);
    let report = extract_to(&command.out, &command.paths, &options, &extractor, &progress).await;
    output.end_progress();
    let report = report?;
    output.extracted(&report);
    Ok(exit_code(&report))
}
