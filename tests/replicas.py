"""Tiny replicas of the data layouts: real PNG bytes, parquet files as the Hub holds them, a task file."""

import csv
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from jina_vdr.catalog import whole
from jina_vdr.data import load_data
from jina_vdr.evaluation import Evaluation, Settings, evaluate, prepare
from jina_vdr.hub import Hub
from jina_vdr.model import Options, parse_model
from jina_vdr.ranker import make_ranker
from jina_vdr.store import Store
from jina_vdr.task import Task, load_task

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
"""The Hub's type of an image column."""


def png(shade: int, size: tuple[int, int] = (16, 20)) -> bytes:
    """Return a PNG of one colour; different `shade`s give different images."""
    out = io.BytesIO()
    Image.new("RGB", size, (shade % 256, shade // 256 % 256, 90)).save(out, "PNG")
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header declares a size that its few bytes do not hold."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\x10IDAT" + bytes(20)


def images(cells: Sequence[bytes | None]) -> pa.Array:
    """Return an image column."""
    return pa.array([cell and {"bytes": cell, "path": None} for cell in cells], IMAGE)


def parquet(path: Path, columns: Mapping[str, Any], *, row_group_size: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, row_group_size=row_group_size)
    return path


def table(path: Path, *rows: Sequence[object]) -> Path:
    """Write a CSV or TSV file, the first of `rows` its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(rows)
    return path


def card(root: Path, configs: Mapping[str, str], split: str = "test") -> Path:
    """Write the front matter of a dataset card: config -> glob of its files."""
    entries = [
        {"config_name": name, "data_files": [{"split": split, "path": glob}]}
        for name, glob in configs.items()
    ]
    front = yaml.safe_dump({"language": ["de"], "configs": entries})
    root.mkdir(parents=True, exist_ok=True)
    (root / "README.md").write_text(f"---\n{front}---\n# A replica\n", encoding="utf-8")
    return root / "README.md"


def task_file(root: Path, dataset: Mapping[str, Any], **fields: Any) -> Path:
    """Write a task file beside the folder `data`; `fields` are those of a task."""
    path = root / "replica.yaml"
    said = {
        "schema": 1,
        "name": "Replica",
        "eval_langs": ["deu-Latn"],
        **fields,
        "dataset": {"path": "./data", **dataset},
    }
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    return path


def replica_task(root: Path, dataset: Mapping[str, Any], **fields: Any) -> Task:
    return load_task(task_file(root, dataset, **fields))


def load(task: Task, subset: str = "default", split: str = "test") -> Any:
    """Read one subset of a local replica, without any network."""
    return load_data(task, subset, split, Hub(task.root / "cache", offline=True))


def beir(folder: Path, n_pages: int = 6, n_queries: int = 3, **changes: Mapping[str, Any]) -> None:
    """Write corpus, queries and qrels into folders, as `jinaai/<name>_beir` has them.

    Query i finds page i (relevance 1) and page i + 1 (relevance 2). `changes` replace columns of
    a part; None takes a column out.
    """
    parts: dict[str, dict[str, Any]] = {
        "corpus": {
            "corpus-id": list(range(n_pages)),
            "image": images([png(i) for i in range(n_pages)]),
        },
        "queries": {
            "query-id": list(range(n_queries)),
            "query": [f"Frage {i}" for i in range(n_queries)],
        },
        "qrels": {
            "query-id": [i for i in range(n_queries) for _ in (0, 1)],
            "corpus-id": [i + more for i in range(n_queries) for more in (0, 1)],
            "score": [1, 2] * n_queries,
        },
    }
    for part, columns in parts.items():
        said = {**columns, **changes.get(part, {})}
        kept = {name: values for name, values in said.items() if values is not None}
        parquet(folder / part / "test-00000-of-00001.parquet", kept)


def qa(path: Path, rows: Sequence[tuple[str | None, str, bytes]], **more: Any) -> Path:
    """Write one row a (query, page file name, image), as `jinaai/<name>` has them."""
    queries, names, cells = zip(*rows, strict=True)
    columns = {"query": pa.array(queries, pa.string()), "image_filename": list(names)}
    return parquet(path, {**columns, "image": images(cells), **more})


TEXT_SUBSETS = {
    "de": "deu-Latn",
    "fr": "fra-Latn",
    "es": "spa-Latn",
    "it": "ita-Latn",
    "nl": "nld-Latn",
    "pt": "por-Latn",
}


def text_task(
    root: Path, subsets: Sequence[str] = ("de", "fr"), n_pages: int = 24, n_queries: int = 10, **fields: Any
) -> Path:
    """Write a task of pages that are text alone; words of a query stand on several pages.

    Pages 3, 6, 9 ... say what the page before says, so rankings hold ties.
    """
    for subset in subsets:
        random = Random(subset)
        words = [f"{subset}{i}" for i in range(40)]
        texts = [" ".join(random.choices(words, k=12)) for _ in range(n_pages)]
        texts[3::3] = texts[2:-1:3]
        asked = [" ".join([*texts[i].split()[:2], *random.choices(words, k=2)]) for i in range(n_queries)]
        changes = {"corpus": {"image": None, "text": texts}, "queries": {"query": asked}}
        beir(root / "data" / subset, n_pages, n_queries, **changes)
    return task_file(root, {}, eval_langs={subset: [TEXT_SUBSETS[subset]] for subset in subsets}, **fields)


def prepared(root: Path, model: str = "fake", limit: int | None = None, **options: Any) -> Any:
    """Return the ranker, the settings, and what is to be evaluated of the task in `root`."""
    spec = parse_model(model, Options(**options))
    store, hub = Store(root / "cache"), Hub(root / "cache", offline=True)
    settings = Settings(root / "results", store, hub, limit, asked=spec.options.given())
    ranker = make_ranker(spec, settings.store)
    return ranker, settings, prepare([whole(load_task(root / "replica.yaml"))], ranker, settings)[0]


def evaluated(root: Path, model: str = "fake", limit: int | None = None, **options: Any) -> Evaluation:
    """Evaluate the task in `root`; results and vectors stay in folders of it."""
    ranker, settings, evaluation = prepared(root, model, limit, **options)
    return evaluate(evaluation, ranker, settings)


def marked(text: str, caret: str = "‸") -> tuple[str, list[tuple[int, int]]]:
    """Return `text` without its carets, and the line and column (from 1) where each of them stands."""
    places = []
    while caret in text:
        before, _, after = text.partition(caret)
        places.append((before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1))
        text = before + after
    return text, places


def pdf_bytes(pages: int = 3, text: str = "Seite {} Wasser Pumpe", **save: Any) -> bytes:
    """Return a PDF with a line of text a page."""
    import pymupdf

    document = pymupdf.open()
    for number in range(pages):
        document.new_page().insert_text((40, 60), text.format(number + 1))
    data: bytes = document.tobytes(**save)
    return data


def raw_pdf(box: str = "0 0 300 300", content: bytes = b"", about: str = "") -> bytes:
    """Return a PDF of one page written by hand: its MediaBox, its content, what is said about the content."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R>>".encode(),
        f"<</Length {len(content)}{about}>>stream\n".encode() + content + b"\nendstream",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, thing in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, thing)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 5\n0000000000 65535 f \n" + rows + end


def documents(root: Path, files: Mapping[str, str | bytes | None] = {}, **fields: Any) -> Path:
    """Write a folder of one PDF with one question; `files` replace or add some, None takes one away."""
    said = {
        "manual.pdf": pdf_bytes(),
        "queries.csv": "query-id,query,language\n1,Wasser auf Seite 2,de\n",
        "qrels.tsv": "query-id\tcorpus-id\tscore\n1\tmanual_p2\t1\n",
    }
    (root / "data").mkdir(parents=True, exist_ok=True)
    for name, content in {**said, **files}.items():
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            (root / "data" / name).write_bytes(data)
    return task_file(root, {"format": "folder"}, **fields)
