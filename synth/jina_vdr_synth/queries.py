"""Queries of all kinds over the made pages, with qrels that are true by construction.

A query that names place, year or version has one page that answers (2). Where it asks for a value, no other
page holds it, and the sibling was judged (0). Where it asks for a document, all other pages about the same
topic are related (1), the sibling first of all. A description without place and year is answered by both.
The families show a topic for different places: no two pages answer the same or contradict one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jina_vdr_synth.content import Content
from jina_vdr_synth.page import Made

ANSWERS, RELATED, JUDGED = 2, 1, 0


@dataclass(frozen=True)
class Asked:
    """One query: its kind, the pages that were judged for it, and what joins it with its translations."""

    text: str
    kind: str
    qrels: dict[str, int]
    cluster: str = ""


def queries(content: Content, pages: Sequence[Made]) -> list[Asked]:
    """Return all queries over the pages of one language."""
    by_format = {
        form: [p for p in pages if p.document_format == form]
        for form in dict.fromkeys(p.document_format for p in pages)
    }
    return [
        *_tables(content, by_format["tables"], pages),
        *_charts(content, by_format["charts"], pages),
        *_forms(content, by_format["forms"]),
        *_documents(content, by_format["markdown-docs"]),
        *_slides(content, by_format["slides"], pages),
    ]


def _tables(content: Content, pages: Sequence[Made], everything: Sequence[Made]) -> Iterator[Asked]:
    for first, second in _siblings(pages):
        topic = content.topics[first.subject]
        for page, other in ((first, second), (second, first)):
            yield Asked(content.ask_value.format(**page.facts), "question", _one(page, other, JUDGED))
        text = content.find_table.format(alt=topic.alt, **first.facts)
        yield Asked(text, "instruction", _about(first.subject, [first], everything))
        words = (second.facts["first_item"], content.total, second.facts["city"], second.facts["year"])
        yield Asked(" ".join(words), "keyword", _one(second, first, JUDGED))


def _charts(content: Content, pages: Sequence[Made], everything: Sequence[Made]) -> Iterator[Asked]:
    for first, second in _siblings(pages):
        topic = content.topics[first.subject]
        for page, other in ((first, second), (second, first)):
            yield Asked(content.fact.format(**page.facts), "fact", _one(page, other, JUDGED))
        text = content.describe_chart.format(alt=topic.alt)
        both = _about(first.subject, [first, second], everything)
        yield Asked(text, "description", both, f"describe-chart-{first.subject}")
        one = _about(first.subject, [second], everything)
        yield Asked(f"{topic.alt} {second.facts['city']}", "key-phrase", one)


def _forms(content: Content, pages: Sequence[Made]) -> Iterator[Asked]:
    for (first, second), form in zip(_siblings(pages), content.forms, strict=True):
        text = content.ask_fee.format(alt=form.alt, city=first.facts["city"])
        yield Asked(text, "question", _one(first, second, JUDGED))
        text = content.find_form.format(alt=form.alt, city=second.facts["city"])
        yield Asked(text, "instruction", _one(second, first, RELATED))
        yield Asked(f"{content.labels[0]} {first.facts['number']}", "keyword", _one(first, second, JUDGED))


def _documents(content: Content, pages: Sequence[Made]) -> Iterator[Asked]:
    for (first, second), tool in zip(_siblings(pages), content.tools, strict=True):
        for page, other in ((first, second), (second, first)):
            text = content.ask_port.format(alt=tool.alt, v=page.facts["version"])
            yield Asked(text, "question", _one(page, other, JUDGED))
        both = _one(first, second, ANSWERS)
        yield Asked(tool.alt, "key-phrase", both, f"describe-{first.subject}")


def _slides(content: Content, pages: Sequence[Made], everything: Sequence[Made]) -> Iterator[Asked]:
    for first, second in _siblings(pages):
        topic = content.topics[first.subject]
        text = content.describe_slide.format(alt=topic.alt)
        both = _about(first.subject, [first, second], everything)
        yield Asked(text, "description", both, f"describe-slide-{first.subject}")
        text = content.issue.format(**first.facts)
        yield Asked(f"{topic.ask} {text}", "question", _one(first, second, JUDGED))


def _siblings(pages: Sequence[Made]) -> Iterator[tuple[Made, Made]]:
    yield from zip(pages[::2], pages[1::2], strict=True)


def _one(page: Made, other: Made, relevance: int) -> dict[str, int]:
    return {page.id: ANSWERS, other.id: relevance}


def _about(subject: str, answers: Sequence[Made], everything: Sequence[Made]) -> dict[str, int]:
    """Judge all pages about a subject: `answers` answer, the others are related."""
    related = {page.id: RELATED for page in everything if page.subject == subject}
    return related | {page.id: ANSWERS for page in answers}
