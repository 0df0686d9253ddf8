"""From a model spec to the encoder that runs it."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from jina_vdr.encoders.base import Encoder
from jina_vdr.errors import MissingExtra, UsageError, first_line
from jina_vdr.family import FAMILIES, Family
from jina_vdr.model import ModelSpec


def make_encoder(spec: ModelSpec) -> Encoder:
    """Return the encoder of `spec`, on several devices where it names several. Nothing is loaded yet.

    Raises MissingExtra when the family's package is not installed.
    """
    devices = (spec.options.device or "").split(",")
    if len(devices) > 1:
        from jina_vdr.encoders.spread import Spread

        return Spread(spec, devices)
    encoder: Encoder = load(spec.family)(spec)
    return encoder


def load(family: str, among: Mapping[str, Family] = FAMILIES) -> Any:
    """Return what makes a family's models; raise MissingExtra where its package is not installed."""
    module, _, name = among[family].target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not among[family].extra or missing == "jina_vdr":
            raise
        if not missing:  # so says transformers of a package that is there and fails
            raise UsageError(
                "JV102",
                f"a package that {family} needs does not work: {first_line(error.__cause__ or error)}",
                "install torch and torchvision anew, in one command, or take torchvision away",
            ) from error
        raise MissingExtra(missing, among[family].extra) from error
