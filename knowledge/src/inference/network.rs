//! The only place that knows `rten`: a BERT in the binary, and one token sequence through it.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::Error;

/// A model in the binary, as the build script divides it.
#[derive(Clone, Copy)]
pub(crate) struct Shipped {
    pub(crate) graph: &'static [u8],
    pub(crate) weights: &'static [u8],
}

/// The [`Shipped`] model of that name.
macro_rules! shipped {
    ($name:literal) => {
        $crate::inference::Shipped {
            graph: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".onnx")),
            weights: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".data")),
        }
    };
}
pub(crate) use shipped;

/// The loaded weights, shared by all sessions.
pub(crate) struct Network {
    model: Model,
    input_ids: NodeId,
    attention_mask: NodeId,
    token_type_ids: NodeId,
    output: NodeId,
}

impl Network {
    /// `output` names what is to be computed. `packed` weights take memory beside those in the binary and are not packed
    /// again in every run.
    pub(crate) fn load(model: Shipped, output: &str, packed: bool) -> Result<Self, Error> {
        let mut options = ModelOptions::with_all_ops();
        options.prepack_weights(packed).external_data_static("weights.data", model.weights);
        let model = options.load_static_slice(model.graph)?;
        Ok(Self {
            input_ids: model.node_id("input_ids")?,
            attention_mask: model.node_id("attention_mask")?,
            token_type_ids: model.node_id("token_type_ids")?,
            output: model.node_id(output)?,
            model,
        })
    }

    /// A session runs on one thread: short sequences gain more from a core of their own than from sharing several.
    pub(super) fn session(self: &Arc<Self>) -> Session {
        Session { network: Arc::clone(self), pool: Arc::new(ThreadPool::with_num_threads(1)) }
    }
}

pub(crate) struct Session {
    network: Arc<Network>,
    pool: Arc<ThreadPool>,
}

impl Session {
    /// Does `work`, which runs the session, on the session's own thread. A run from anywhere else is handed to that thread
    /// and back, which takes some tens of microseconds each way.
    pub(super) fn on_its_thread(&self, work: impl FnOnce() + Send) {
        self.pool.run(work);
    }

    /// The output, which has this shape. Tokens from `second` on belong to the second of two texts.
    pub(crate) fn run<const DIMENSIONS: usize>(
        &self,
        tokens: &[u32],
        second: usize,
        expected: [usize; DIMENSIONS],
    ) -> Result<Vec<f32>, Error> {
        let Network { model, input_ids, attention_mask, token_type_ids, output } = &*self.network;
        let shape = [1, tokens.len()];
        let ids = NdTensor::from_data(shape, tokens.iter().map(|&id| id as i32).collect::<Vec<_>>());
        let types = (0..tokens.len()).map(|position| i32::from(position >= second)).collect::<Vec<_>>();
        let inputs = vec![
            (*input_ids, ids.into()),
            (*attention_mask, NdTensor::full(shape, 1_i32).into()),
            (*token_type_ids, NdTensor::from_data(shape, types).into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let [output] = model.run_n(inputs, [*output], Some(options))?;
        let output: NdTensor<f32, DIMENSIONS> = output.try_into()?;
        if output.shape() != expected {
            return Err(format!("an output of shape {:?}, not {expected:?}", output.shape()).into());
        }
        Ok(output.into_data())
    }
}
