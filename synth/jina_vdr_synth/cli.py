"""`jina-vdr synth`: make data sets."""

from pathlib import Path

import click


@click.group()
def synth() -> None:
    """Make pages and queries from recipes."""


@synth.command("build")
@click.argument("recipe")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write."
)
@click.option("--language", "languages", multiple=True, metavar="X", help="Only this language. Repeatable.")
def build_recipe(recipe: str, out: Path, languages: tuple[str, ...]) -> None:
    """Make the data sets of RECIPE, a name (demo) or the path of a YAML file: the same bytes every time."""
    from jina_vdr.progress import progress
    from jina_vdr_synth.build import build
    from jina_vdr_synth.recipe import find_recipe

    found = find_recipe(recipe)
    subsets = _subsets(found.subsets, languages)
    with progress(len(subsets), "draw", "language") as bar:
        folders = build(found, out, subsets, lambda _: bar.update())
    for folder in folders:
        click.echo(folder)


def _subsets(all_subsets: list[str], languages: tuple[str, ...]) -> list[str]:
    from jina_vdr.errors import UsageError
    from jina_vdr.languages import find_language, matches
    from jina_vdr_synth.content import content

    wanted = [find_language(language) for language in languages]
    chosen = [s for s in all_subsets if not wanted or any(matches(w, content(s).tag) for w in wanted)]
    if not chosen:
        raise UsageError(
            "JV106", "the recipe has none of these languages", f"it has: {', '.join(all_subsets)}"
        )
    return chosen
