//! `ingest copy` and `ingest --reindex`.

use std::process::ExitCode;

use anyhow::Context;
use footnote_ingest::{IngestOptions, Server, copy, reindex, reindex_through};
use footnote_knowledge::collection::{self, Rebuild};
use footnote_knowledge::connect;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::options::{EmbedderChoice, StoreOptions};
use footnote_knowledge::server_file::ServerFile;
use footnote_knowledge::vector_store::VectorStore;

use crate::cli::{CopyCommand, IngestCommand};
use crate::ingesting::{exit_code, not_done};
use crate::output::Output;

/// From the embedded engine to a server, vectors and all.
pub(super) async fn copy_to_server(command: &CopyCommand) -> anyhow::Result<ExitCode> {
    let output = Output::new(command.output);
    let embedder = Embedder::open(&command.embedding, &command.openai).await.context("the embedder cannot be used")?;
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
    let report = copy(&from, &to, &|event| output.event(&event)).await;
    output.end_progress();
    let report = report.map_err(|stopped| not_done(*stopped, &output))?;
    output.summary(&report, false);
    Ok(exit_code(&report))
}

/// Builds the collection anew with this embedder, if it was built with another one, and puts it in the other's place;
/// where a server holds the folder, that server does.
pub(super) async fn rebuild(command: &IngestCommand, embedder: &Embedder, output: &Output) -> anyhow::Result<()> {
    let IngestCommand { store, embedding, openai, .. } = command;
    let vectors = match connect::open_vectors(store).await.map_err(collection::Error::from) {
        Ok(vectors) => vectors,
        Err(error) => {
            let server = ServerFile::of_holder(&store.data_dir, error)?;
            return rebuild_through(server, &EmbedderChoice::new(embedding, openai), output).await;
        }
    };
    let Some(rebuild) = Rebuild::begin(vectors.clone(), &store.collection, &embedder.identity()).await? else {
        output.note("the collection is of this embedder already");
        return close(&vectors).await;
    };
    output.note(EMBEDDING_ANEW);
    let patience = IngestOptions::LONGEST_OUTAGE;
    let report = reindex(&rebuild, embedder, patience, &|| {}, &|event| output.event(&event)).await;
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

const EMBEDDING_ANEW: &str = "embedding all documents anew; the old collection serves until the new one is there whole";

async fn rebuild_through(file: ServerFile, embedder: &EmbedderChoice, output: &Output) -> anyhow::Result<()> {
    let ServerFile { url, token, .. } = file;
    output.note(&format!("the data folder belongs to the server at {url}, which does it"));
    output.note(EMBEDDING_ANEW);
    let report = reindex_through(&Server::new(&url, Some(token)), embedder, &|event| output.event(&event)).await;
    output.end_progress();
    output.summary(&report.map_err(anyhow::Error::new)?, false);
    output.note("the server embeds with this embedder now; from its next start on give it the same options");
    Ok(())
}

/// So that the folder can be opened again.
async fn close(vectors: &VectorStore) -> anyhow::Result<()> {
    Ok(vectors.close().await?)
}
