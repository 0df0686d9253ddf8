"""The small world of one language: its places, topics, forms and sentences, one YAML file each."""

from importlib.resources import as_file, files

from jina_vdr.languages import Language, find_language
from jina_vdr.schema import SpecRecord, Text, validated
from jina_vdr.specfile import load

WESTERN = "0123456789"


class Topic(SpecRecord):
    """Something that is counted: `title` stands on pages; `alt` and `ask` say it in the words of a reader."""

    title: Text
    alt: Text
    ask: Text
    unit: Text
    items: list[Text]


class Form(SpecRecord):
    """An application form, and what people call what it is for."""

    title: Text
    alt: Text


class Tool(SpecRecord):
    """A program with a README, and what people call what it is for."""

    title: Text
    about: Text
    alt: Text


class Content(SpecRecord):
    """All words of one language. What stands in braces is filled in: {city}, {year}, {item}, {value}, ..."""

    tag: Text
    digits: Text = WESTERN
    cities: list[Text]
    quarter: Text
    total: Text
    series: Text
    source: Text
    topics: dict[Text, Topic]
    forms: list[Form]
    labels: list[Text]
    options: list[Text]
    declaration: Text
    ask_fee: Text
    tools: list[Tool]
    headings: list[Text]
    features: list[Text]
    port: Text
    ask_port: Text
    slide: list[Text]
    find_table: Text
    find_form: Text
    describe_chart: Text
    describe_slide: Text
    fact: Text
    ask_value: Text
    sentences: list[list[Text]]

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
