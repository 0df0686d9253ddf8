"""The small world of one language: its places, topics, forms and sentences, one YAML file each."""

from importlib.resources import as_file, files
from typing import Annotated

from pydantic import Field

from jina_vdr.languages import Language, find_language
from jina_vdr.schema import SpecRecord, Text, validated
from jina_vdr.specfile import load

WESTERN = "0123456789"

Three = Annotated[list[Text], Field(min_length=3, max_length=3)]
Four = Annotated[list[Text], Field(min_length=4, max_length=4)]


class Topic(SpecRecord):
    """Something that is counted: `title` stands on pages; `alt` and `ask` say it in the words of a reader."""

    title: Text
    alt: Text
    ask: Text
    unit: Text
    items: Four


class Form(SpecRecord):
    """An application form, and what people call what it is for."""

    title: Text
    alt: Text


class Tool(SpecRecord):
    """A program with a README, and what people call what it is for."""

    title: Text
    about: Text
    alt: Text


class Sentence(SpecRecord):
    """A sentence: `other` says the same in other words, `near` something else in the same words."""

    plain: Text
    other: Text
    near: Text


class Content(SpecRecord):
    """All words of one language. What stands in braces is filled in: {city}, {year}, {item}, {value}, ..."""

    tag: Text
    digits: Text = WESTERN
    cities: Four
    quarter: Text
    total: Text
    issue: Text
    series: Text
    source: Text
    remarks: Four
    topics: dict[Text, Topic]
    forms: list[Form]
    labels: Annotated[list[Text], Field(min_length=5, max_length=5)]
    options: Three
    declaration: Text
    hints: Four
    ask_fee: Text
    tools: list[Tool]
    headings: Three
    features: Annotated[list[Text], Field(min_length=6, max_length=6)]
    port: Text
    ask_port: Text
    slide: Three
    find_table: Text
    find_form: Text
    describe_chart: Text
    describe_slide: Text
    fact: Text
    ask_value: Text
    sentences: Annotated[list[Sentence], Field(min_length=2)]

    @property
    def language(self) -> Language:
        """The language itself."""
        return find_language(self.tag)

    def number(self, value: int) -> str:
        """Write a number in the digits of the language."""
        return str(value).translate(str.maketrans(WESTERN, self.digits))


def content(subset: str) -> Content:
    """Return the words of a language by the name of its subset (`de`, `jp`)."""
    with as_file(files("jina_vdr_synth") / "content" / f"{subset}.yaml") as path:
        return validated(Content, load(path))


def subsets() -> list[str]:
    """Return the names of all subsets that have words."""
    folder = files("jina_vdr_synth") / "content"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )
