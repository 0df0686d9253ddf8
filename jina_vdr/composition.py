"""What is told of a model that is made of others."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jina_vdr.errors import UsageError
from jina_vdr.records import ModelInfo, Pairs


def composed(
    family: str, name: str, settings: Mapping[str, Any], parts: Mapping[str, ModelInfo]
) -> ModelInfo:
    """Return what ran where several models did: the settings hold each of `parts` whole, under its name.

    The revision is a hash of them: another revision or setting of a part makes another model.
    """
    whole = {**settings, **{part: _identity(info) for part, info in parts.items()}}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return ModelInfo(
        name=name,
        family=family,
        revision="sha256:" + hashlib.sha256(text.encode()).hexdigest(),
        settings=whole,
        runtime={
            f"{part}.{key}": value for part, info in parts.items() for key, value in info.runtime.items()
        },
    )


def label(info: ModelInfo) -> str:
    """Return the name of a part in the name of the whole: without the organization, for it has several."""
    return info.name.rpartition("/")[2]


def only_ranks(name: str, pairs: Pairs) -> UsageError:
    """Return the error of a model that cannot compare the two pages of a pair."""
    return UsageError(
        "JV141",
        f"{name} ranks pages, and {pairs.task} compares them two by two",
        "evaluate each of its models by itself",
    )


def _identity(info: ModelInfo) -> dict[str, Any]:
    said = asdict(info)
    del said["runtime"]
    return said
