//! all-MiniLM-L6-v2 in this process: 384 numbers a vector, 256 tokens a sequence, no network.
//!
//! Texts that are not short are tokenised on the blocking pool; all are embedded by worker threads of their own
//! ([`crate::inference`]).

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{EmbeddingIdentity, Error, Tokenizer, pooling};
use crate::blocking;
use crate::inference::{self, Network, Priority, Session, Shipped, Workers, shipped};

// In the binary, so that it needs no file beside it. `tools/export_model.py` makes it.
const MODEL: Shipped = shipped!("all-MiniLM-L6-v2");

/// Otherwise every run packs all weights again: 40 % of the time of a 230-token passage and most of a query's. It costs
/// 11 MB.
const PACKED: bool = true;

/// Bytes of text that are tokenised in less time than it takes to hand them to another thread.
const TOKENISED_AT_ONCE: usize = 256;

/// The built-in embedder. Dropping it ends its threads.
pub struct LocalEmbedder {
    tokenizer: Tokenizer,
    workers: Arc<Workers<Vec<u32>>>,
}

/// The vectors to come of one text's windows, each with its number of tokens.
type Pending = Vec<(usize, oneshot::Receiver<Result<Vec<f32>, inference::Error>>)>;

impl LocalEmbedder {
    pub const DIMENSION: usize = 384;
    pub const MAX_TOKENS: usize = 256;

    /// Loads the model, with one worker for each core. Takes tens of milliseconds of CPU; see [`LocalEmbedder::open`].
    pub fn load() -> Result<Self, Error> {
        let network = Network::load(MODEL, "last_hidden_state", PACKED).map_err(Error::Model)?;
        let embed = |session: &Session, tokens: &Vec<u32>| {
            let states = session.run(tokens, tokens.len(), [1, tokens.len(), Self::DIMENSION])?;
            Ok(mean(&states))
        };
        let workers = inference::start(network, "embed", embed).map_err(Error::Model)?;
        Ok(Self { tokenizer: Tokenizer::exact()?, workers: Arc::new(workers) })
    }

    /// [`LocalEmbedder::load`] away from the async workers.
    pub async fn open() -> Result<Self, Error> {
        blocking::run(Self::load).await.map_err(|unfinished| Error::Model(unfinished.into()))?
    }

    pub fn identity() -> EmbeddingIdentity {
        EmbeddingIdentity {
            model: "all-MiniLM-L6-v2-int8".to_owned(),
            dimension: Self::DIMENSION,
            pooling: "mean".to_owned(),
        }
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub(super) async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        self.embed(texts, Priority::Document).await
    }

    pub(super) async fn embed_query(&self, text: &str) -> Result<Vec<f32>, Error> {
        Ok(self.embed_queries(vec![text.to_owned()]).await?.remove(0))
    }

    pub(super) async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        self.embed(texts, Priority::Query).await
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        self.embed_query("ready").await.map(drop)
    }

    async fn embed(&self, texts: Vec<String>, priority: Priority) -> Result<Vec<Vec<f32>>, Error> {
        let (tokenizer, workers) = (self.tokenizer.clone(), Arc::clone(&self.workers));
        let bytes = texts.iter().map(String::len).sum::<usize>();
        // The first texts are being embedded while the last are tokenised.
        let submit_all = move || -> Vec<Pending> {
            let submit = |text: &String| {
                let windows = tokenizer.sequences(text, Self::MAX_TOKENS).into_iter();
                windows.map(|tokens| (tokens.len() - 2, workers.submit(tokens, priority))).collect()
            };
            texts.iter().map(submit).collect()
        };
        let pending = if bytes <= TOKENISED_AT_ONCE {
            submit_all()
        } else {
            blocking::run(submit_all).await.map_err(|unfinished| Error::Model(unfinished.into()))?
        };

        let mut vectors = Vec::with_capacity(pending.len());
        for windows in pending {
            let mut embedded = Vec::with_capacity(windows.len());
            for (tokens, vector) in windows {
                let vector = vector.await.map_err(|_| Error::Model("its worker has stopped".into()))?;
                let vector = vector.map_err(Error::Model)?;
                embedded.push((tokens, vector));
            }
            vectors.push(pooling::weighted_mean(embedded));
        }
        Ok(vectors)
    }
}

/// Of the last hidden states of all tokens, special ones included, at unit length.
fn mean(states: &[f32]) -> Vec<f32> {
    let mut mean = vec![0.0; LocalEmbedder::DIMENSION];
    for state in states.chunks_exact(LocalEmbedder::DIMENSION) {
        mean.iter_mut().zip(state).for_each(|(sum, value)| *sum += value);
    }
    // Dividing by the number of tokens would not change the direction.
    pooling::scale_to_unit_length(&mut mean);
    mean
}
