"""`jina-vdr models check`: a model's encoder on a few bundled pages, and a verdict."""

import json
from typing import TYPE_CHECKING, Any

import click

from jina_vdr.cli.options import (
    cache_option,
    hub_of,
    json_option,
    model_options,
    model_settings,
    offline_option,
    option,
)

if TYPE_CHECKING:
    from jina_vdr.hub import Hub
    from jina_vdr.records import Collection

LOOKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("check", short_help="Check a model on a few bundled pages.")
@click.argument("model")
@option("--language", default="eng", show_default=True, help="Language of the 20 bundled pages.")
@model_options
@cache_option
@offline_option
@json_option
def check(model: str, language: str, as_json: bool, **values: Any) -> int:
    """Encode bundled pages in different ways and say whether the vectors can be trusted.

    A vector must not depend on the other items of its batch, on their order, or on a file of the name that a
    query holds. Nothing is kept, and nothing is taken from what is kept. Exit code 1 when something fails.
    """
    from dataclasses import asdict, replace

    from jina_vdr.data.pages import text_page
    from jina_vdr.encoders.making import make_encoder
    from jina_vdr.errors import UsageError
    from jina_vdr.family import FAMILIES
    from jina_vdr.model_check import check_model
    from jina_vdr.resolution import resolve

    hub = hub_of(values["cache"], offline=values["offline"])
    spec = resolve(model, model_settings(values))
    if not FAMILIES[spec.family].is_encoder:
        raise UsageError("JV134", f"{spec.family} ranks pages without vectors", "there is nothing to check")
    encoder = make_encoder(spec)
    golden = _golden(language, hub)
    if encoder.document_input == "text":
        golden = replace(golden, corpus=[text_page(page.id, page.read_text()) for page in golden.corpus])
    findings = []
    for finding in check_model(encoder, golden):
        findings.append(finding)
        if not as_json:
            click.echo(f"{LOOKS[finding.verdict]}  {finding.name:10}  {finding.text}")
    verdict = max((finding.verdict for finding in findings), key=list(LOOKS).index)
    if as_json:
        report = {"model": asdict(encoder.info), "verdict": verdict, "findings": list(map(asdict, findings))}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        click.echo(_sentence(encoder.info.name, verdict, [f.name for f in findings if f.verdict == verdict]))
    return int(verdict == "fail")


def _golden(language: str, hub: "Hub") -> "Collection":
    """Return the bundled pages of one language."""
    from jina_vdr.catalog import Filters, find_task, select, whole
    from jina_vdr.data import load_data
    from jina_vdr.records import Collection

    (selection,) = select([whole(find_task("DemoPages"))], Filters(languages=(language,)))
    (subset, *_) = selection.subsets
    golden = load_data(selection.task, subset, selection.task.eval_splits[0], hub)
    assert isinstance(golden, Collection)
    return golden


def _sentence(name: str, verdict: str, about: list[str]) -> str:
    if verdict == "ok":
        return f"verdict: {name} is sound"
    if verdict == "warn":
        return f"verdict: {name} can be used, with a look at: {', '.join(about)}"
    return f"verdict: do not trust {name}: {', '.join(about)}"
