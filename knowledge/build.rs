//! Divides each model in two files: its graph, which is read when it is loaded, and its weights, which are then used where
//! they are in the binary. Of a model that is one file, `rten` copies all weights, those that no question needs included.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rten_onnx::onnx::{DataLocation, DataType, ModelProto, StringStringEntryProto, TensorProto};

const MODELS: [&str; 2] = ["all-MiniLM-L6-v2", "ms-marco-MiniLM-L-12-v2"];

/// What is smaller stays in the graph.
const LARGE_BYTES: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in MODELS {
        let path = models.join(name).join("model.onnx");
        println!("cargo::rerun-if-changed={}", path.display());
        let mut model = ModelProto::parse_buf(&fs::read(path)?)?;
        let graph = model.graph.as_mut().ok_or("a model without a graph")?;
        let mut weights = Vec::new();
        graph.initializer.iter_mut().for_each(|tensor| take_weights(tensor, &mut weights));
        fs::write(out.join(format!("{name}.onnx")), model.write_buf()?)?;
        fs::write(out.join(format!("{name}.data")), weights)?;
    }
    Ok(())
}

/// Of tensors of bytes, which may lie anywhere; others would have to be aligned, and are small.
fn take_weights(tensor: &mut TensorProto, weights: &mut Vec<u8>) {
    let is_bytes = [DataType::INT8, DataType::UINT8].map(Some).contains(&tensor.data_type);
    let Some(data) = tensor.raw_data.take_if(|data| is_bytes && data.borrow().len() >= LARGE_BYTES) else { return };
    let data = data.into_inner();
    let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    tensor.external_data = vec![
        // Named in `Network::load`, too.
        entry("location", "weights.data".to_owned()),
        entry("offset", weights.len().to_string()),
        entry("length", data.len().to_string()),
    ];
    tensor.data_location = Some(DataLocation::EXTERNAL);
    weights.extend(data);
}
