"""From a recipe to data sets on disk: the same bytes every time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from jina_vdr_synth import card
from jina_vdr_synth.content import content
from jina_vdr_synth.dataset import write_pages, write_pairs
from jina_vdr_synth.families import charts, documents, forms, slides, tables
from jina_vdr_synth.page import Made
from jina_vdr_synth.queries import queries
from jina_vdr_synth.recipe import Recipe
from jina_vdr_synth.sts import pairs

FAMILIES = (tables, charts, forms, documents, slides)


def build(
    recipe: Recipe, out: Path, subsets: Sequence[str], done: Callable[[str], object] = lambda _: None
) -> list[Path]:
    """Write `out/pages` and `out/sts`, a folder each subset, with their cards; return the folders."""
    page_rows, pair_rows = [], []
    for subset in subsets:
        words = content(subset)
        pages = list(draw(recipe, subset))
        asked = queries(words, pages)
        write_pages(out / "pages" / subset, subset, words.tag, pages, asked)
        page_rows.append((subset, words.tag, len(asked), len(pages), sum(len(q.qrels) for q in asked)))
        made = pairs(words, Random(f"{recipe.seed}-sts"), recipe.dpi)
        write_pairs(out / "sts" / subset, made)
        pair_rows.append((subset, words.tag, len(made)))
        done(subset)
    card.write_pages_card(out / "pages", recipe, page_rows)
    card.write_pairs_card(out / "sts", recipe, pair_rows)
    return [out / "pages", out / "sts"]


def draw(recipe: Recipe, subset: str) -> Iterator[Made]:
    """Yield all pages of one subset."""
    for family in FAMILIES:
        random = Random(f"{recipe.seed}-{subset}-{family.__name__.rpartition('.')[2]}")
        yield from family.pages(content(subset), subset, random, recipe.dpi)
