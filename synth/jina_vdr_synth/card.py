"""Dataset cards: front matter that the Hub and `datasets` read, counts, and how to make the data again."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from jina_vdr.atomic import write_text
from jina_vdr.languages import find_language
from jina_vdr_synth.recipe import Recipe

HEAD = """\
---
license: {license}
language: [{languages}]
configs:
{configs}
---
# {title}: {what}

{about}

Everything here is drawn by a program: the figures are made up, places and years stand beside them at random.
Make it again, byte for byte, with `jina-vdr synth build {recipe} --out DIR`.

"""

PAGES = """\
Tables, charts, forms, Markdown documents and slides, each in two variants that are easily taken for one
another, and queries of six kinds (question, keyword, key phrase, description, fact, instruction). Relevance:
2 answers, 1 answers in part or is about the same, 0 was judged and does not answer. `text` is what stands on
the page."""

PAIRS = """\
Sentences rendered as images, in pairs. Similarity: 5 the same, 4 the same in other words, 3 the same but for
one thing that matters (a number; what a form is, and what it is for), 2 a part is shared, 1 the same field or
the same words but another statement, 0 unrelated. `text1` and `text2` are what the images say."""


def write_pages_card(folder: Path, recipe: Recipe, rows: Sequence[tuple[str, str, int, int, int]]) -> None:
    """Write the card of the pages: rows are subset, language, queries, pages, judgments."""
    configs = [
        _config(f"{subset}-{part}", f"{subset}/{part}/test-*.parquet")
        for subset, *_ in rows
        for part in ("corpus", "queries", "qrels")
    ]
    table = _table(["subset", "language", "queries", "pages", "qrels"], rows)
    _write(folder, recipe, [row[1] for row in rows], configs, "pages and queries", PAGES, table)


def write_pairs_card(folder: Path, recipe: Recipe, rows: Sequence[tuple[str, str, int]]) -> None:
    """Write the card of the pairs: rows are subset, language, pairs."""
    configs = [_config(subset, f"{subset}/test-*.parquet") for subset, *_ in rows]
    table = _table(["subset", "language", "pairs"], rows)
    _write(folder, recipe, [row[1] for row in rows], configs, "rendered sentences", PAIRS, table)


def _write(
    folder: Path,
    recipe: Recipe,
    tags: Sequence[str],
    configs: Sequence[str],
    what: str,
    about: str,
    table: str,
) -> None:
    head = HEAD.format(
        license=recipe.license,
        languages=", ".join(f'"{find_language(tag).iso2}"' for tag in tags),
        configs="\n".join(configs),
        title=recipe.title,
        what=what,
        about=about,
        recipe=recipe.recipe,
    )
    write_text(folder / "README.md", head + table)


def _config(name: str, path: str) -> str:
    return f"- config_name: {name}\n  data_files: [{{split: test, path: {path}}}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
