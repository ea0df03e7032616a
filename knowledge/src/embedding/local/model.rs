//! The only place that knows `rten`: the model in the binary, and one token sequence through it.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::embedding::{Error, LocalEmbedder, Source, pooling};

// In the binary, so that it needs no file beside it. `tools/export_model.py` makes it.
static WEIGHTS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/all-MiniLM-L6-v2/model.onnx"));

/// The loaded weights, shared by all sessions.
pub(super) struct SentenceModel {
    network: Model,
    input_ids: NodeId,
    attention_mask: NodeId,
    token_type_ids: NodeId,
    last_hidden_state: NodeId,
}

impl SentenceModel {
    pub(super) fn load() -> Result<Self, Error> {
        Self::read().map_err(Error::Model)
    }

    fn read() -> Result<Self, Source> {
        // Without packing in advance, every run packs all weights again: 40 % of the time of a 230-token passage and
        // most of a query's. It costs 11 MB.
        let network = ModelOptions::with_all_ops().prepack_weights(true).load_static_slice(WEIGHTS)?;
        Ok(Self {
            input_ids: network.node_id("input_ids")?,
            attention_mask: network.node_id("attention_mask")?,
            token_type_ids: network.node_id("token_type_ids")?,
            last_hidden_state: network.node_id("last_hidden_state")?,
            network,
        })
    }

    /// A session runs on one thread: short sequences gain more from a core of their own than from sharing several.
    pub(super) fn session(self: &Arc<Self>) -> Session {
        let pool = ThreadPool::with_num_threads(1);
        Session { model: Arc::clone(self), options: RunOptions::default().with_thread_pool(Some(Arc::new(pool))) }
    }
}

pub(super) struct Session {
    model: Arc<SentenceModel>,
    options: RunOptions,
}

impl Session {
    /// The mean over the last hidden states of all tokens, special ones included, at unit length.
    pub(super) fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let hidden_states = self.last_hidden_states(tokens).map_err(Error::Model)?;
        let mut mean = vec![0.0; LocalEmbedder::DIMENSION];
        for state in hidden_states.chunks_exact(LocalEmbedder::DIMENSION) {
            mean.iter_mut().zip(state).for_each(|(sum, value)| *sum += value);
        }
        // Dividing by the number of tokens would not change the direction.
        pooling::scale_to_unit_length(&mut mean);
        Ok(mean)
    }

    /// One state of [`LocalEmbedder::DIMENSION`] numbers after the other.
    fn last_hidden_states(&self, tokens: &[u32]) -> Result<Vec<f32>, Source> {
        let model = &self.model;
        let shape = [1, tokens.len()];
        let ids = NdTensor::from_data(shape, tokens.iter().map(|&id| id as i32).collect::<Vec<_>>());
        let (mask, types) = (NdTensor::full(shape, 1_i32), NdTensor::full(shape, 0_i32));
        let inputs = vec![
            (model.input_ids, ids.into()),
            (model.attention_mask, mask.into()),
            (model.token_type_ids, types.into()),
        ];
        let [hidden] = model.network.run_n(inputs, [model.last_hidden_state], Some(self.options.clone()))?;
        let hidden: NdTensor<f32, 3> = hidden.try_into()?;
        let expected = [1, tokens.len(), LocalEmbedder::DIMENSION];
        if hidden.shape() != expected {
            return Err(format!("hidden states of shape {:?}, not {expected:?}", hidden.shape()).into());
        }
        Ok(hidden.into_data())
    }
}
