//! The collection is built anew with another embedder, while searches go on in the old one, and then serves in its place.

use std::sync::Arc;
use std::time::Duration;

use footnote_ingest::{Event, Report, reindex};
use footnote_knowledge::collection::{Collection, Rebuild};
use footnote_knowledge::connect;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::options::EmbedderChoice;

use super::{Job, Jobs, Means, whole};
use crate::library::Opened;

/// What becomes of a job that a server did not live to finish.
pub(super) const STOPPED: &str = "the server was stopped before the new collection was there whole; run ingest --reindex again, and it goes on from there";

impl Jobs {
    pub(super) async fn reindex(&self, job: &Job, choice: EmbedderChoice, means: &Means) -> Result<Report, String> {
        let Means { library, server_folder, .. } = means;
        let waits = |waits_for: Option<&str>| self.update(job.id, |job| job.waits_for = waits_for.map(str::to_owned));
        let (embedding, openai) = choice.into_options();
        for receiver in connect::text_receivers(library.store(), &embedding, &openai) {
            tracing::info!("{receiver}");
        }
        let embedder = Arc::new(Embedder::open(&embedding, &openai).await.map_err(whole)?);
        waits(Some("the ingest that is running"));
        let _alone = library.replacing().await;
        waits(None);
        let opened = library.open().await.map_err(whole)?;
        let serve_with = |collection: Collection| {
            library.replace(Opened { embedder: Arc::clone(&embedder), collection });
            server_folder.iter().for_each(|folder| folder.write(embedder.max_tokens()));
        };
        let (store, name) = (opened.collection.store().clone(), opened.collection.name());
        let rebuild = Rebuild::begin(store, name, &embedder.identity()).await.map_err(whole)?;
        let Some(rebuild) = rebuild else {
            // The same model, perhaps at another address or with another key.
            serve_with(opened.collection.clone());
            return Ok(Report::default());
        };
        let progress = |event: Event| self.update(job.id, |job| job.note(&event));
        let switched = || serve_with(rebuild.replacement());
        let outcome = reindex(&rebuild, &embedder, Duration::MAX, &switched, &progress).await;
        outcome.map_err(|stopped| whole(stopped.error))
    }
}
