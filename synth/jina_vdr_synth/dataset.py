"""Data sets in the Hub's layout: parquet with embedded images that `datasets` and MTEB read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jina_vdr.atomic import replacing
from jina_vdr_synth.page import Made
from jina_vdr_synth.queries import Asked
from jina_vdr_synth.sts import Pair

FILE = "test-00000-of-00001.parquet"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_pages(folder: Path, subset: str, tag: str, pages: Sequence[Made], asked: Sequence[Asked]) -> None:
    """Write corpus, queries and qrels of one subset."""
    corpus = {
        "corpus-id": [page.id for page in pages],
        "image": _images([page.image for page in pages]),
        "text": [page.text for page in pages],
        "document_format": [page.document_format for page in pages],
    }
    ids = [f"{subset}-q-{number:03}" for number in range(1, len(asked) + 1)]
    queries = {
        "query-id": ids,
        "query": [query.text for query in asked],
        "language": [tag] * len(asked),
        "kind": [query.kind for query in asked],
        "cluster": [query.cluster for query in asked],
    }
    judged = [
        (name, page, grade) for name, q in zip(ids, asked, strict=True) for page, grade in q.qrels.items()
    ]
    names, judged_pages, grades = zip(*judged, strict=True)
    _write(folder / "corpus", corpus)
    _write(folder / "queries", queries)
    _write(
        folder / "qrels",
        {"query-id": names, "corpus-id": judged_pages, "score": pa.array(grades, pa.int32())},
    )


def write_pairs(folder: Path, pairs: Sequence[Pair]) -> None:
    """Write the pairs of one subset."""
    columns = {
        "sentence1": _images([pair.images[0] for pair in pairs]),
        "sentence2": _images([pair.images[1] for pair in pairs]),
        "text1": [pair.texts[0] for pair in pairs],
        "text2": [pair.texts[1] for pair in pairs],
        "score": [pair.score for pair in pairs],
    }
    _write(folder, columns)


def _images(images: Sequence[bytes]) -> pa.Array:
    return pa.array([{"bytes": image, "path": None} for image in images], IMAGE)


def _write(folder: Path, columns: dict[str, Any]) -> None:
    table = pa.table(columns)
    features = {
        field.name: {"_type": "Image"}
        if field.type == IMAGE
        else {"dtype": "float64" if field.type == pa.float64() else str(field.type), "_type": "Value"}
        for field in table.schema
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    with replacing(folder / FILE) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
