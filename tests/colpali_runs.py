"""Runs colpali_engine's checkpoints by its calls and by ours: `python -m tests.colpali_runs FOLDER COMMIT`.

Writes the checkpoints into FOLDER/models, and of each run what both gave: theirs encodes one item at a time,
by the processor's own methods, so that nothing is padded; ours does so in batches of two. Last comes an
evaluation of an adapter on the Hub, over org/base at COMMIT.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import colpali_engine
import numpy as np
import torch
from mteb.models.model_implementations import MODEL_REGISTRY
from mteb.models.model_implementations.colqwen_models import ColQwen2Wrapper
from mteb.models.model_meta import ModelMeta, ScoringFunction
from PIL import Image
from safetensors.torch import load_file, save_file

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.encoders.making import make_encoder
from jina_vdr.errors import VDRError
from jina_vdr.model import Options, parse_model
from jina_vdr.records import Page
from jina_vdr.similarity import score_blocks
from tests.colpali_checkpoints import CLASSES, adapter, checkpoint

TEXTS = ["Wie hoch?", "a", "", "1.234,5 kg und noch viel mehr"]
SIZES = [(100, 140), (60, 60), (300, 200), (90, 140), (56, 56)]
FEW_PIXELS = 8 * 28 * 28
PREFIX = "Query: "


def pictures() -> list[Image.Image]:
    """Return images of noise."""
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8)) for width, height in SIZES]


def pages() -> list[Page]:
    """Return the pictures as pages."""
    return [Page(str(i), str(i), lambda i=i: pictures()[i], lambda: None) for i in range(len(SIZES))]


@torch.inference_mode()
def theirs(name: str, folder: Path, prefix: str | None = None, **more: Any) -> dict[str, Any]:
    """Encode by colpali_engine alone, item by item."""
    kind = getattr(colpali_engine, name)
    own = {} if hasattr(kind, "_checkpoint_conversion_mapping") else {"key_mapping": {}}
    network = kind.from_pretrained(folder, dtype=torch.float32, **own).eval()
    processor = getattr(colpali_engine, name + ("_" if "2_5" in name else "") + "Processor").from_pretrained(
        folder, **more
    )
    if prefix is not None:
        processor.query_prefix = prefix
    queries = [network(**processor.process_queries([text]))[0] for text in TEXTS]
    found = [network(**processor.process_images([image]))[0] for image in pictures()]
    filled = [text or processor.query_augmentation_token for text in TEXTS]
    texts = [network(**processor.process_texts([text]))[0] for text in filled]
    return {
        "queries": np.concatenate([np.atleast_2d(rows) for rows in queries]),
        "pages": np.concatenate([np.atleast_2d(rows) for rows in found]),
        "texts": np.concatenate([np.atleast_2d(rows) for rows in texts]),
        "rows": [len(np.atleast_2d(rows)) for rows in found],
        "scores": processor.score(queries, found).numpy(),
    }


def ours(model: str, **options: Any) -> dict[str, Any]:
    """Encode by our own encoder."""
    encoder = make_encoder(parse_model(model, Options(device="cpu", batch_size=2, **options)))
    queries, found = gather(encoder.encode_queries(TEXTS)), gather(encoder.encode_documents(pages()))
    texts = [Page(str(i), str(i), None, lambda text=text: text) for i, text in enumerate(TEXTS)]
    ((_, scores),) = score_blocks(queries, found, encoder.info.similarity or "")
    return {
        "queries": queries.values,
        "pages": found.values,
        "texts": gather(encoder.encode_documents(texts)).values,
        "rows": np.diff(found.offsets),
        "scores": scores,
        "info": json.dumps([encoder.info.vector_type, encoder.info.similarity, encoder.info.settings]),
    }


def with_own_prefix(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run with a class whose processor brings a prefix for queries, as ColQwen2_5OmniProcessor does."""
    kind = colpali_engine.ColQwen2Processor
    kind.query_prefix = "Frage: "
    try:
        return run()
    finally:
        kind.query_prefix = ""


def refusal(model: str, **options: Any) -> dict[str, Any]:
    """Return the error that encoding ends with."""
    try:
        ours(model, **options)
    except VDRError as error:
        return {"error": str(error)}
    return {}


def runs(models: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield runs by name."""
    for name in CLASSES:
        yield f"{name}-theirs", partial(theirs, name, models / name)
        yield f"{name}-ours", partial(ours, f"colpali-engine:{models / name}")
    base, over = models / "ColQwen2", models / "adapter"
    few = FEW_PIXELS // 28**2
    yield "adapter-theirs", partial(theirs, "ColQwen2", over)
    yield "by-processor-theirs", partial(theirs, "BiQwen2", models / "by-processor")
    for name in ("adapter", "by-mapping", "by-processor", "by-network", "old-keys", "no-processor"):
        yield f"{name}-ours", partial(ours, f"colpali-engine:{models / name}")
    yield "prefix-theirs", partial(theirs, "ColQwen2", base, PREFIX)
    yield "prefix-ours", partial(ours, f"colpali-engine:{base}", query_prompt=PREFIX)
    yield "own-prefix-theirs", partial(with_own_prefix, partial(theirs, "ColQwen2", base))
    yield "own-prefix-ours", partial(with_own_prefix, partial(ours, f"colpali-engine:{base}"))
    yield "prefix-mteb", partial(ours, "mteb:mteb/baseline-colqwen2")
    yield "few-theirs", partial(theirs, "ColQwen2", base, max_num_visual_tokens=few)
    yield "few-ours", partial(ours, f"colpali-engine:{base}", max_pixels=FEW_PIXELS)
    yield "pil-ours", partial(ours, f"colpali-engine:{base}", image_backend="pil")
    yield "eager-ours", partial(ours, f"colpali-engine:{base}", attention="eager", dtype="bfloat16")
    yield "wrong-keys", partial(refusal, f"colpali-engine:{models / 'wrong-keys'}")
    yield "no-class", partial(refusal, f"colpali-engine:{models / 'no-class'}")
    yield "other-vectors", partial(refusal, f"colpali-engine:{base}", vector_type="single")
    yield "fixed-size", partial(refusal, f"colpali-engine:{models / 'ColPali'}", max_pixels=FEW_PIXELS)


def write(models: Path, commit: str) -> None:
    """Write the checkpoints."""
    for name in CLASSES:
        checkpoint(name, models / name)
    base, over = models / "ColQwen2", adapter(models / "ColQwen2", models / "adapter")
    for name in ("ColQwen2", "BiQwen2"):
        stock = shutil.copytree(models / name, models / f"stock-{name}")
        said(stock / "config.json", **{name: "Qwen2VLModel"})
    adapter(models / "stock-BiQwen2", models / "by-processor", "BiQwen2")
    adapter(models / "stock-BiQwen2", models / "by-mapping", "BiQwen2", task_type=None)
    said(models / "by-mapping/processor_config.json", BiQwen2Processor="Qwen2VLProcessor")
    adapter(models / "stock-ColQwen2", models / "by-network")
    said(models / "by-network/processor_config.json", ColQwen2Processor="Qwen2VLProcessor")
    for name, word, instead in (
        ("old-keys", "model.language_model.layers", "model.model.layers"),
        ("wrong-keys", "layers", "schichten"),
    ):
        weights = load_file(over / "adapter_model.safetensors")
        renamed = {key.replace(word, instead): weight for key, weight in weights.items()}
        save_file(renamed, shutil.copytree(over, models / name) / "adapter_model.safetensors")
    (shutil.copytree(over, models / "no-processor") / "processor_config.json").unlink()
    bare = shutil.copytree(base, models / "no-class")
    for file in ("config.json", "processor_config.json"):
        said(bare / file, ColQwen2="ColNothing", qwen2_vl="nothing")
    config = json.loads((over / "adapter_config.json").read_text())
    config |= {"base_model_name_or_path": "org/base", "revision": commit}
    (shutil.copytree(over, models / "on-hub") / "adapter_config.json").write_text(json.dumps(config))


def said(path: Path, **words: str) -> None:
    """Replace words in a file."""
    text = path.read_text()
    for word, instead in words.items():
        text = text.replace(word, instead)
    path.write_text(text)


def register(folder: Path) -> None:
    """Add MTEB's wrapper of a checkpoint to its registry."""
    MODEL_REGISTRY["mteb/baseline-colqwen2"] = ModelMeta.create_empty(
        overwrites={
            "name": "mteb/baseline-colqwen2",
            "revision": "1",
            "loader": lambda _name, revision, **more: ColQwen2Wrapper(folder, **more),
            "model_type": ["late-interaction"],
            "modalities": ["text", "image"],
            "similarity_fn_name": ScoringFunction.MAX_SIM,
        }
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(folder / "models", sys.argv[2])
    register(folder / "models/ColQwen2")
    for name, run in runs(folder / "models"):
        np.savez(folder / f"{name}.npz", **run())
    os.chdir(folder)
    demo = ["--benchmark", "demo", "--language", "deu", "--limit", "3"]
    sys.exit(main(["eval", "--model", "colpali-engine:org/adapter", *demo]))
