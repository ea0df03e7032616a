//! `ingest copy` and `ingest --reindex`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use footnote_ingest::{copy, reindex};
use footnote_knowledge::collection::Rebuild;
use footnote_knowledge::connect;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::options::StoreOptions;
use footnote_knowledge::vector_store::VectorStore;

use crate::cli::CopyCommand;
use crate::ingesting::{exit_code, not_done};
use crate::output::Output;

/// From the embedded engine to a server, vectors and all.
pub(super) async fn copy_to_server(command: &CopyCommand) -> anyhow::Result<ExitCode> {
    let output = Output::new(command.output);
    if !command.from.is_dir() {
        bail!("there is no data folder {}", command.from.display());
    }
    let embedder =
        connect::open_embedder(&command.embedding, &command.openai).await.context("the embedder cannot be used")?;
    let source = StoreOptions {
        data_dir: command.from.clone(),
        qdrant_url: None,
        qdrant_api_key: None,
        collection: command.collection.clone(),
    };
    let from = connect::find_collection(&source, &embedder).await?;
    let from =
        from.with_context(|| format!("there is no collection {:?} in {}", command.collection, command.from.display()))?;
    let target =
        StoreOptions { qdrant_url: Some(command.to.clone()), qdrant_api_key: command.qdrant_api_key.clone(), ..source };
    let to = connect::open_collection(&target, &embedder).await?;
    let report = copy(&from, &to, |event| output.event(&event)).await;
    output.end_progress();
    let report = report.map_err(|stopped| not_done(*stopped, &output))?;
    output.summary(&report, false);
    Ok(exit_code(&report))
}

/// Builds the collection anew with this embedder, if it was built with another one, and puts it in the other's place.
pub(super) async fn rebuild(store: &StoreOptions, embedder: &Embedder, output: &Output) -> anyhow::Result<()> {
    let vectors = connect::open_vectors(store).await.map_err(footnote_knowledge::collection::Error::from)?;
    let Some(rebuild) = Rebuild::begin(vectors.clone(), &store.collection, &embedder.identity()).await? else {
        output.note("the collection is of this embedder already");
        return close(&vectors).await;
    };
    output.note("embedding all documents anew; the old collection serves until the new one is there whole");
    let report = reindex(&rebuild, embedder, |event| output.event(&event)).await;
    output.end_progress();
    output.summary(&report.map_err(|stopped| not_done(*stopped, output))?, false);
    if let VectorStore::Qdrant(_) = vectors {
        output.note(
            "the new collection is in place; the old one is dropped in a minute, when no server uses it any more",
        );
        tokio::time::sleep(Rebuild::OLD_STAYS).await;
    }
    rebuild.drop_old().await?;
    close(&vectors).await
}

/// So that the folder can be opened again.
async fn close(vectors: &VectorStore) -> anyhow::Result<()> {
    Ok(vectors.close().await?)
}
