"""The known models as text: a table and a card for a terminal, a Markdown page."""

import json
import shlex
from collections.abc import Iterator, Sequence

from jina_vdr.listing import counted
from jina_vdr.modelfile import ModelFile, Price
from jina_vdr.report import markdown_table, text_table

INTRODUCTION = """\
# Known models

Written by `jina-vdr models list --markdown`, not by hand. `jina-vdr eval --model NAME` runs each of these at
the commit and with the prompts, pixels and similarity that its file names; `jina-vdr models show NAME` tells
them, what must be installed, and what the model was trained on. Revisions, licences, parameters and training
sets are those of MTEB's registry. Any other model runs too: [models](models.md).
"""

HEADER = ("model", "family", "vectors", "parameters", "license", "note")


def model_table(models: Sequence[ModelFile]) -> str:
    """Return one row a model, and how many there are."""
    rows = [
        [m.name, m.family, ", ".join(m.modalities), _vectors(m), _parameters(m), _license(m)] for m in models
    ]
    table = text_table(["model", "family", "reads", "vectors", "parameters", "license"], rows, right=[4])
    return f"{table}\n\n{counted(len(models), 'model')}"


def model_card(model: ModelFile) -> str:
    """Return all that is known of a model, with the command that runs it."""
    prompts = model.prompts.model_dump(exclude_none=True)
    facts = {
        "also": ", ".join(model.aliases),
        "family": model.family,
        "revision": model.revision or "",
        "loads": model.checkpoint or "",
        "reads": ", ".join(model.modalities),
        "vectors": "; ".join(map(", ".join, _types(model))),
        "cut to": ", ".join(map(str, model.truncate_dims)),
        "computes": model.dtype or "",
        "pixels": f"{model.max_pixels:,} a page" if model.max_pixels else "",
        "tokens": f"{model.max_tokens:,} a text" if model.max_tokens else "",
        "prompts": ", ".join(
            f"{side} {json.dumps(text, ensure_ascii=False)}" for side, text in prompts.items()
        ),
        "size": f"{model.parameters:,} parameters" if model.parameters else "",
        "license": model.license,
        "price": _price(model.price) if model.price else "",
        "trained": _trained(model),
        "requires": ", ".join(model.requires),
        "page": model.url,
        "note": model.note,
    }
    flag = " --trust-remote-code" if model.remote_code else ""
    lines = [f"{name + ':':<10}{value}" for name, value in facts.items() if value]
    run = f"run:      jina-vdr eval --model {shlex.quote(model.name)}{flag}"
    return "\n".join([model.name, *lines, "", run])


def model_page(models: Sequence[ModelFile]) -> str:
    """Return the Markdown page: models that see pages, services, models of text alone."""
    sections = {
        "Models that see pages": [m for m in models if m.open_weights and "image" in m.modalities],
        "Models of text alone": [m for m in models if m.open_weights and "image" not in m.modalities],
        "Services": [m for m in models if not m.open_weights],
    }
    tables = [
        f"## {title}\n\n{markdown_table(HEADER, [_cells(m) for m in held], right={'parameters'})}\n"
        for title, held in sections.items()
        if held
    ]
    return "\n".join([INTRODUCTION, *tables])


def _cells(model: ModelFile) -> list[str]:
    name = f"[{model.name}]({model.url})" if model.url else model.name
    return [name, model.family, _vectors(model), _parameters(model), _license(model), model.note]


def _types(model: ModelFile) -> Iterator[list[str]]:
    """Yield what is known of each type of vectors: its name, dimensions and similarity."""
    for vector_type in model.vector_types:
        size = getattr(model.dimensions, vector_type)
        similarity = getattr(model.similarity, vector_type)
        yield [
            vector_type,
            *([f"{size:,} dimensions"] if size else []),
            *([similarity] if similarity else []),
        ]


def _vectors(model: ModelFile) -> str:
    sizes = [(name, getattr(model.dimensions, name)) for name in model.vector_types]
    return ", ".join(f"{name} {size}" if size else name for name, size in sizes)


def _parameters(model: ModelFile) -> str:
    millions = (model.parameters or 0) / 1e6
    return f"{millions / 1000:.1f} B" if millions >= 1000 else f"{millions:.0f} M" if millions else "-"


def _license(model: ModelFile) -> str:
    """Return the name of the licence; MTEB gives some only as an address, which the card shows."""
    return "its own" if model.license.startswith("https://") else model.license or "-"


def _trained(model: ModelFile) -> str:
    if model.training_sets is None:
        return "not known"
    return ", ".join(model.training_sets) or "on nothing that MTEB names"


def _price(price: Price) -> str:
    parts = {"a million tokens": price.per_million_tokens, "an image at most": price.per_image}
    said = ", ".join(f"{amount:g} {price.currency} {unit}" for unit, amount in parts.items() if amount)
    return f"{said} ({price.as_of}, {price.source})"
