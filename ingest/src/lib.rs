//! Finds documents, extracts and chunks their text, embeds the chunks and writes them into a collection: [`ingest`].
//!
//! Used by the `ingest` program and by the server's `--ingest`. How vectors are made and kept is `footnote_knowledge`'s
//! business.

pub mod chunk;
pub mod discover;
mod error;
pub mod extract;
mod extraction;
mod extractor;
mod pipeline;
mod remote;
mod report;
mod tag;
mod transfer;

pub use error::{Error, Stopped};
pub use extraction::extract_to;
pub use extractor::{Extractor, Limits, run_if_worker};
pub use pipeline::{GoneDocuments, IngestOptions, Origin, ingest};
pub use remote::{Server, ServerError, ingest_through, reindex_through};
pub use report::{Event, Failure, Outcome, Progress, Report, Skipped, StageSeconds};
pub use tag::parse_tag;
pub use transfer::{copy, reindex};
