"""Weights from a checkpoint: whatever is wrong with them is one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers.utils import is_flash_attn_2_available, logging

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.errors import DataError, OutOfMemory, UsageError, VDRError, first_line
from jina_vdr.hub import is_offline


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Turn what can go wrong when weights load into one error of ours."""
    try:
        yield
    except VDRError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("JV501", f"{name} does not fit into memory", first_line(error)) from error
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise UsageError("JV102", f"{name} needs what is not installed", reason) from error
    except Exception as error:  # what is no checkpoint, or a damaged one, fails in any way
        raise DataError("JV441", f"{name} cannot be loaded", first_line(error)) from error


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages that can change a vector; the build (CPU, CUDA) is left out."""
    return {package: version(package).partition("+")[0] for package in packages}


def own_dtype(checkpoint: Checkpoint) -> str:
    """Return the dtype that the checkpoint says its weights are for; float32 where it says nothing."""
    config = checkpoint.json("config.json") or checkpoint.json("0_Transformer/config.json")
    for said in (config, config.get("text_config"), config.get("vlm_config")):
        name = isinstance(said, dict) and (said.get("dtype") or said.get("torch_dtype"))
        if name:
            return str(name).removeprefix("torch.")
    return "float32"


def attention(asked: str | None, network: Any) -> str:
    """Return how a class of transformers computes attention: as asked for, else by sdpa where it can.

    Raises UsageError where it cannot, or where flash attention is asked for and not installed.
    """
    if asked == "flash_attention_2" and not is_flash_attn_2_available():
        raise UsageError(
            "JV102",
            "flash-attn, which --attention flash_attention_2 needs, is not installed, or there is no GPU",
            "run: pip install flash-attn, or take --attention sdpa",
        )
    can = {"eager": True, "sdpa": network._supports_sdpa, "flash_attention_2": network._supports_flash_attn}
    if asked and not can[asked]:
        able = ", ".join(name for name in can if can[name])
        raise UsageError(
            "JV108", f"{network.__name__} does not compute attention by {asked}", f"it takes {able}"
        )
    return asked or ("sdpa" if can["sdpa"] else "eager")


def origin(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what `from_pretrained` of transformers takes to find a checkpoint."""
    return {
        "pretrained_model_name_or_path": checkpoint.source,
        "revision": checkpoint.commit,
        "local_files_only": is_offline(),
    }


def load_network(
    network: Any, checkpoint: Checkpoint, dtype: str, computed_by: str | None, **more: Any
) -> Any:
    """Return a network of transformers with the weights of a checkpoint; `computed_by` is its attention.

    `more` goes before what `origin` says.

    Raises DataError where weights are missing, which transformers would make up at random.
    """
    said = logging.get_verbosity()
    logging.set_verbosity_error()  # it would print a table of weights without a use, like those of a head
    try:
        loaded, report = network.from_pretrained(
            **{**origin(checkpoint), **more},
            dtype=getattr(torch, dtype),
            attn_implementation=computed_by,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(said)
    missing = sorted(report["missing_keys"])
    if missing:
        raise DataError(
            "JV441", f"{checkpoint.source} lacks {len(missing)} weights of {network.__name__}", missing[0]
        )
    return loaded


def load_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """Return the tokenizer itself: transformers' wrapper around it is not safe in threads."""
    with loading(checkpoint.source):
        tokenizer = Tokenizer.from_file(str(checkpoint.files / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
