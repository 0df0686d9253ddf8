"""`jina-vdr models`: which models are known, and what of them."""

import json
from typing import TYPE_CHECKING, Any

import click

from jina_vdr.cli.options import json_option, option

if TYPE_CHECKING:
    from jina_vdr.modelfile import ModelFile


@click.group()
def models() -> None:
    """List and show the models that are known by name."""


@models.command("list")
@option("--family", multiple=True, metavar="X", help="Models that this family runs (st, hf, mteb, ...).")
@json_option
@click.option("--markdown", is_flag=True, help="Print a Markdown page: docs/known-models.md is one.")
def list_models(family: tuple[str, ...], as_json: bool, markdown: bool) -> None:
    """List the known models; any other runs by a prefix, as in `--model st:NAME`."""
    from jina_vdr.known_models import model_page, model_table

    found = _of_families(family)
    if as_json:
        click.echo(json.dumps([_record(model) for model in found], indent=1, ensure_ascii=False))
    elif markdown:
        click.echo(model_page(found), nl=False)
    else:
        click.echo(model_table(found))


@models.command("show")
@click.argument("name")
@json_option
def show_model(name: str, as_json: bool) -> None:
    """Show one known model: its settings, licence, training sets, and how to run it."""
    from jina_vdr.errors import UsageError, near
    from jina_vdr.known_models import model_card
    from jina_vdr.modelfile import all_models, find_model

    model = find_model(name)
    if model is None:
        known = [known for model in all_models().values() for known in (model.name, *model.aliases)]
        hint = near(name, known) or "jina-vdr models list shows all; others run by a prefix, as st:NAME"
        raise UsageError("JV107", f"there is no known model '{name}'", hint)
    if as_json:
        click.echo(json.dumps(_record(model), indent=1, ensure_ascii=False))
    else:
        click.echo(model_card(model))


def _of_families(wanted: tuple[str, ...]) -> "list[ModelFile]":
    """Return the models that these families run, all without one; raise UsageError for one that runs none."""
    from jina_vdr.errors import UsageError, near
    from jina_vdr.modelfile import all_models

    found = list(all_models().values())
    known = sorted({model.family for model in found})
    for family in wanted:
        if family not in known:
            hint = near(family, known) or f"known: {', '.join(known)}"
            raise UsageError("JV112", f"no known model is of the family '{family}'", hint)
    return [model for model in found if not wanted or model.family in wanted]


def _record(model: "ModelFile") -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_defaults=True)
