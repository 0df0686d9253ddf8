"""Small data sets for any task file, in exactly the layout that the file says its own has on the Hub."""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from jina_vdr.dataset import Part
from jina_vdr.task import DEFAULT_SUBSET, Expected, Task
from tests.replicas import IMAGE, images, png

Row = dict[str, Any]
Counts = dict[str, dict[str, int]]
"""Subset -> what it holds, as `expected` of a task file says it."""

WORDS = [f"wort{i}" for i in range(30)]

UNREAD = "dev"
"""A split that no task evaluates: a loader that reads it as well gets other counts."""


@dataclass
class Table:
    """One split of a config of the dataset card, or of a folder that the card does not name (config "").

    Its files are `stem`, numbered where they are parquet; `rows` have the names of the columns in the files.
    """

    stem: str
    config: str
    split: str
    form: str = "parquet"
    shards: int = 1
    rows: list[Row] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        if self.form != "parquet":
            return [f"{self.stem}.{self.form}"]
        return [f"{self.stem}-{i:05}-of-{self.shards:05}.parquet" for i in range(self.shards)]

    @property
    def pattern(self) -> str:
        """What a dataset card says of its files."""
        return f"{self.stem}-*" if self.form == "parquet" else f"{self.stem}*"


def build(task: Task, folder: Path) -> Counts:
    """Write a small data set for `task` into `folder`; return what each subset of it holds.

    Parts lie in configs or folders (`data_dir`), in parquet where there are images; a part that a task finds
    by its `file` is not written. Subsets that ask for the same pages, as translations do, share them. Tasks
    that share a data set on the Hub are built into one folder, one after the other.
    """
    tables: dict[str, Table] = {}
    counts = {}
    for subset in task.subsets:
        parts, counts[subset] = CONTENTS.get(task.dataset.format, _pages)(task, subset)
        for name, rows in parts.items():
            for split in task.eval_splits:
                table = _table(task, name, subset, split)
                known = tables.setdefault(table.stem, table).rows
                known.extend(row for row in _in_file(task, name, subset, rows) if row not in known)
    written = [*tables.values(), *_unread(task, tables.values())]
    for table in written:
        _write(folder, table)
    entries = [(table.config, table.split, table.pattern) for table in written]
    if task.type == "STS":  # its configs are parts of one that holds all languages
        entries += [(table.config and "default", table.split, f"{table.split}/*") for table in written]
    _write_card(folder, entries)
    return counts


def on_disk(task: Task, root: Path) -> Task:
    """Build the replica of `task` in a folder of its own in `root`; return the task that reads it there."""
    name = sha256(f"{task.name} of {task.dataset.path}".encode()).hexdigest()[:12]
    counts = build(task, root / name)
    expected = {subset: Expected(**count) for subset, count in counts.items()}
    dataset = task.dataset.model_copy(update={"path": f"./{name}", "revision": None})
    local = task.model_copy(update={"dataset": dataset, "expected": expected})
    local._path = root / f"{name}.yaml"
    return local


def _pages(task: Task, subset: str) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Return the rows of each part of one subset under our names, and what they come to.

    Query i finds page i and, where relevance is graded, less so page i + 1. One more query is not judged.
    """
    pages = _corpus(task, subset)
    queries = _queries(task, subset, pages)
    judged = _judgments(task, queries, pages)
    others = [other for other in task.subsets if other != subset] if _is_translated(task) else []
    foreign = [row for other in others for row in _judgments(task, _queries(task, other, pages), pages)]
    parts = {"corpus": pages, "queries": queries, "qrels": [*judged, *foreign]}
    if task.dataset.images:
        parts["images"] = [{"id": page["image_id"], "image": page["image"]} for page in reversed(pages)]
    if task.dataset.candidates:
        parts["candidates"] = _candidates(queries, pages)
    return parts, {"queries": len(queries) - 1, "documents": len(pages), "qrels": len(judged)}


def _corpus(task: Task, subset: str) -> list[Row]:
    """Return pages. The first has the same image in all data sets, the last has the image of the second.

    Where queries are translated, all subsets have the same pages.
    """
    random = _random(task, subset)
    base, count = random.randrange(1, 60_000), random.randint(5, 6)
    shades = [0, *range(base, base + count - 2), base]
    pages = [
        {
            "id": _id(task.dataset.corpus, "seite", i),
            "image": png(shade),
            "text": " ".join(random.choices(WORDS, k=8)),
            "title": f"Titel {i}",
            "image_id": f"{i}.png",
            "doc-id": f"dokument-{i // 3}.pdf",
        }
        for i, shade in enumerate(shades)
    ]
    if task.protocol.ignore_identical_ids:  # a page asks for the third before it
        texts = [page["text"] for page in pages]
        for i, page in enumerate(pages):
            page["text"] += f" {texts[i - 3]}"
    return pages


def _queries(task: Task, subset: str, pages: Sequence[Row]) -> list[Row]:
    """Return queries; where one table judges those of all languages, no two have the same id."""
    count = _random(task, subset).randint(2, 4)
    prefix, first = "frage", 0
    if _is_translated(task):
        prefix, first = f"frage-{subset}", 10 * task.subsets.index(subset)
    queries = [
        {
            "id": _id(task.dataset.queries, prefix, first + i),
            "text": f"Frage {i} {subset}: {' '.join(page['text'].split()[1:4])}",
            "answer": f"Antwort {i}",
        }
        for i, page in enumerate(pages[: count + 1])
    ]
    if task.protocol.ignore_identical_ids:  # the queries are pages themselves
        for i, query in enumerate(queries):
            query |= {name: pages[(i + 3) % len(pages)][name] for name in ("id", "text")}
    return queries


def _judgments(task: Task, queries: Sequence[Row], pages: Sequence[Row]) -> list[Row]:
    """Judge all queries but the last. JinaVDR knows one relevance, and so do qrels without a score."""
    graded = task.dataset.format == "mteb" and "score" in task.dataset.qrels.named
    grades = (2, 1, 0) if graded else (1,)
    return [
        {"query-id": query["id"], "corpus-id": pages[(i + step) % len(pages)]["id"], "score": grade}
        for i, query in enumerate(queries[:-1])
        for step, grade in enumerate(grades)
    ]


def _candidates(queries: Sequence[Row], pages: Sequence[Row]) -> list[Row]:
    """Let each query find half of the pages, those that are judged among them."""
    ids = [page["id"] for page in pages]
    half = len(ids) // 2 + 1
    return [
        {"query-id": query["id"], "corpus-ids": (ids[i:] + ids[:i])[half - 1 :: -1]}
        for i, query in enumerate(queries)
    ]


def _pages_with_queries(task: Task, subset: str) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Return one row a query and page, and the pages without a query with none or a blank one."""
    parts, counts = _pages(task, subset)
    asked = {query["id"]: query["text"] for query in parts["queries"]}
    found = [(asked[row["query-id"]], row["corpus-id"]) for row in parts["qrels"]]
    alone = [(None if i % 2 else "", page["id"]) for i, page in enumerate(parts["corpus"])]
    pages = {page["id"]: page for page in parts["corpus"]}
    rows = [
        {"query": query, "image": pages[page]["image"], "page": f"{page}.png", "text": pages[page]["text"]}
        for query, page in (*found, *alone)
    ]
    return {"pairs": rows}, counts


def _sentences(task: Task, subset: str) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Return sentences two by two and their number; the higher the score, the more words two share."""
    random = _random(task, subset)
    base, count = random.randrange(60_000), random.randint(6, 9)
    rows: list[Row] = []
    for i in range(count):
        score = round(5 * i / (count - 1), 2)
        first, kept = random.choices(WORDS, k=10), round(2 * score)
        second = [*first[:kept], *random.choices(WORDS, k=10 - kept)]
        row = {"first": " ".join(first), "second": " ".join(second)}
        if task.type == "VisualSTS":
            row = {"first": png(base + i), "second": png(base + i + 5 - round(score))}
        rows.append({**row, "score": score, "genre": f"Art {i % 2}"})
    random.shuffle(rows)
    return {"pairs": rows}, {"pairs": count}


CONTENTS = {"pairs": _sentences, "qa": _pages_with_queries}


def _random(task: Task, subset: str) -> Random:
    return Random(task.dataset.path if _is_translated(task) else f"{task.dataset.path} {subset}")


def _is_translated(task: Task) -> bool:
    """Say whether all subsets ask for the same pages: each query stands there in every language."""
    return task.protocol.clusters == "judgments"


def _id(part: Part, word: str, number: int) -> str | int:
    """Return an id of the type that columns of that name have on the Hub."""
    return number if part.columns.get("id") in {"query-id", "corpus-id"} else f"{word}-{number}"


def _in_file(task: Task, name: str, subset: str, rows: Sequence[Row]) -> list[Row]:
    """Put rows under the names of the columns in the files, with some columns that no loader knows."""
    part: Part = getattr(task.dataset, name)
    columns = {**_columns(task, name), **{unknown: unknown for unknown in ("doc-id", "answer", "genre")}}
    more = {column: value.replace("{subset}", subset) for column, value in part.where.items()}
    if task.type == "STS":
        more["lang"] = subset
    if name == "queries" and columns["text"].startswith("rephrase"):
        more |= dict.fromkeys(("query", "rephrase_level_1", "rephrase_level_2"), "Das fragt niemand")
    return [{**more, **{columns[k]: value for k, value in row.items() if k in columns}} for row in rows]


def _columns(task: Task, name: str) -> dict[str, str]:
    """Return our names for the columns that a part has on the Hub -> the names there.

    Where the task file says that a text is not read, it is there.
    """
    columns = dict(getattr(task.dataset, name).columns)
    if task.type == "Retrieval" and name in {"corpus", "queries"}:
        columns["id"] = "_id"
    if name == "corpus":
        apart, text = bool(task.dataset.images), task.type == "Retrieval"
        has_text = apart or text or task.category == "t2it" or columns["text"] != "text"
        columns["text"] = columns["text"] or "text"
        there = {"image": not apart and not text, "text": has_text, "title": apart or text, "image_id": apart}
        columns = {ours: theirs for ours, theirs in columns.items() if there.get(ours, True)}
    return {ours: theirs for ours, theirs in columns.items() if theirs}


def _table(task: Task, name: str, subset: str, split: str) -> Table:
    """Return the place of a part of one subset: parquet for images, text in the forms that text sets have."""
    part: Part = getattr(task.dataset, name)
    split = part.split or split
    shards = 2 if name == "corpus" and subset == task.subsets[-1] else 1
    if part.data_dir:
        return Table(f"{part.data_dir.replace('{subset}', subset)}/{split}", "", split, shards=shards)
    config = part.config or DEFAULT_SUBSET
    if subset == DEFAULT_SUBSET:
        config = config.replace("{subset}-", "")
    config = config.replace("{subset}", subset)
    if task.type == "Retrieval":  # corpus and queries have a split of their own name, as in BEIR
        form = "jsonl" if task.dataset.path.startswith("mteb/") else "parquet"
        if name == "qrels":
            return Table(f"qrels/{split}", "default", split, form)
        return Table(config if form == "jsonl" else f"{config}/{config}", config, config, form)
    if task.type == "STS":
        alone = subset == DEFAULT_SUBSET
        return Table(split if alone else f"{split}/{subset}", "" if alone else config, split, "jsonl.gz")
    folder = "data" if config == DEFAULT_SUBSET else config
    return Table(f"{folder}/{split}", config, split, shards=shards)


def _unread(task: Task, tables: Iterable[Table]) -> list[Table]:
    """Return a split more of judgments and of sentences: data sets have more than is evaluated."""
    return [
        Table(table.stem.replace(table.split, UNREAD), table.config, UNREAD, table.form, rows=table.rows[:2])
        for table in tables
        if table.split in task.eval_splits and ("qrels" in table.stem or task.dataset.format == "pairs")
    ]


def _write(folder: Path, table: Table) -> None:
    count = len(table.rows) // table.shards
    for i, name in enumerate(table.files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = table.rows[i * count : (i + 1) * count if i + 1 < table.shards else None]
        if table.form == "parquet":
            pq.write_table(_as_on_the_hub(rows), path, row_group_size=2)
            continue
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(lines, mtime=0) if table.form.endswith(".gz") else lines)


def _as_on_the_hub(rows: Sequence[Row]) -> pa.Table:
    """Return a table that says which of its columns are images, as the Hub's client writes it."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    columns |= {name: images(cells) for name, cells in columns.items() if isinstance(cells[0], bytes)}
    made = pa.table(columns)
    features = {column.name: _feature(column.type) for column in made.schema}
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return how the Hub's client names the type of a column."""
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": str(kind).replace("double", "float64"), "_type": "Value"}


def _write_card(folder: Path, entries: Iterable[tuple[str, str, str]]) -> None:
    """Write README.md, which names the files of each config and split beside those that it names already."""
    path = folder / "README.md"
    front: dict[str, Any] = {"language": ["de"], "license": "mit"}
    if path.exists():
        front = yaml.safe_load(path.read_text().split("---")[1])
    configs = {config["config_name"]: config["data_files"] for config in front.pop("configs", [])}
    for config, split, pattern in entries:
        entry = {"split": split, "path": pattern}
        if config and entry not in configs.setdefault(config, []):
            configs[config].append(entry)
    if configs:
        front["configs"] = [{"config_name": name, "data_files": files} for name, files in configs.items()]
    path.write_text(f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n# A replica\n")
