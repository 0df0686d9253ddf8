"""A recipe: which languages, how large, from which seed. One YAML file each."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jina_vdr.errors import UsageError, near
from jina_vdr.schema import SpecRecord, Text, Whole, validated
from jina_vdr.specfile import load
from jina_vdr_synth.content import subsets


def _has_words(subset: str) -> str:
    known = subsets()
    if subset not in known:
        hint = near(subset, known) or f"known: {', '.join(known)}"
        raise ValueError(f"there are no words for '{subset}'; {hint}")
    return subset


class Recipe(SpecRecord):
    """What a recipe file says."""

    schema_: Literal[1] = Field(1, alias="schema")
    recipe: Text
    title: Text
    license: Text
    seed: Whole
    dpi: Annotated[Whole, Field(ge=36, le=300)]
    subsets: Annotated[list[Annotated[Text, AfterValidator(_has_words)]], Field(min_length=1)]


def find_recipe(name: str) -> Recipe:
    """Return the recipe in the file of that path, or the one of that name that comes with us."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = {path.stem: path for path in _folder().glob("*.yaml")}
        if name not in known:
            raise UsageError(
                "JV118", f"there is no recipe '{name}'", near(name, known) or f"known: {', '.join(known)}"
            )
        path = known[name]
    elif not path.is_file():
        raise UsageError("JV118", f"there is no recipe {path}", "write the path of a YAML file")
    return validated(Recipe, load(path))


def _folder() -> Path:
    """Return the folder of recipes: inside the wheel, or beside the package in a checkout."""
    here = Path(__file__).parent
    return here / "_recipes" if (here / "_recipes").is_dir() else here.parent / "recipes"
