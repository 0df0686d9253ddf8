"""Data with a fault: one line that names it, exit code 4, and nothing written."""

import os
import struct
from pathlib import Path

import pytest

from jina_vdr.cli import main
from tests.replicas import (
    beir,
    documents,
    huge_png,
    images,
    parquet,
    pdf_bytes,
    png,
    qa,
    raw_pdf,
    task_file,
)

QRELS = "query-id\tcorpus-id\tscore\n1"
BMP = b"BM" + struct.pack("<IHHII", 154, 0, 0, 54, 40)


@pytest.mark.parametrize(
    ("files", "code", "names"),
    [
        ({"queries.csv": None}, "JV404", ["'queries.csv'", "it has: qrels.tsv"]),
        ({"queries.csv": ""}, "JV408", ["queries.csv", "Empty", "commas"]),
        (
            {"queries.csv": "query-id,query\n1,Käse\n".encode("latin-1")},
            "JV408",
            ["Row #2", "save it as UTF-8"],
        ),
        ({"queries.csv": "query-id,query\n1,a\n2,a,b\n"}, "JV408", ["Row #3", "stands in quotes"]),
        ({"queries.csv": "1,Wasser\n"}, "JV410", ["'query-id'", "it has: 1, Wasser; the first line names"]),
        ({"queries.csv": "query-id;query\n1;Wasser\n"}, "JV410", ["query-id;query", "with commas between"]),
        ({"queries.csv": "query-id,query,query\n1,a,b\n"}, "JV410", ["two columns 'query'"]),
        ({"queries.csv": "query-id,query\n1,a\n1,b\n"}, "JV431", ["'1' stands twice"]),
        ({"queries.csv": "query-id,query\nzwei,a\n"}, "JV436", ["query '1'", "write the ids as in"]),
        ({"qrels.tsv": "query-id corpus-id score\n1 manual_p2 1\n"}, "JV410", ["with tabs between"]),
        ({"qrels.tsv": "1\t0\tmanual_p2\t1\n"}, "JV410", ["it has: 1, 0, manual_p2, 1", "columns.query-id"]),
        ({"qrels.tsv": f"{QRELS}\tmanual_p2\t1001\n"}, "JV433", ["'1001'", "up to 1,000"]),
        ({"qrels.tsv": f"{QRELS}\tmanual_p9\t1\n"}, "JV437", ["'manual_p9'", "did you mean 'manual_p"]),
        ({"qrels.tsv": f"{QRELS}\tscan\t1\n"}, "JV437", ["'scan'", "like 'manual_p1'"]),
        ({"a.pdf": pdf_bytes(encryption=5, user_pw="x", owner_pw="x")}, "JV414", ["a.pdf", "password"]),
        ({"a.pdf": pdf_bytes()[:-400]}, "JV415", ["a.pdf", "truncated"]),
        ({"a.pdf": b"<html>404</html>"}, "JV415", ["a.pdf"]),
        ({"a.pdf": raw_pdf().replace(b"Count 1", b"Count 9")}, "JV415", ["a.pdf"]),
        (
            {"a.pdf": raw_pdf(content=b"x" * 20, about="/Filter/FlateDecode")},
            "JV415",
            ["page 1", "read error"],
        ),
        ({"a.pdf": raw_pdf().replace(b"Kids[3", b"Kids[2")}, "JV415", ["page 1", "cycle in page tree"]),
    ],
)
def test_a_folder_with_a_fault(complains, files, code, names):
    task = documents(Path.cwd(), files)
    complains(["eval", "--model", "bm25", "--task", task], code, *names)


@pytest.mark.parametrize(
    ("files", "code", "names"),
    [
        ({"a.pdf": raw_pdf(box=f"0 0 {'9' * 40} 3")}, "JV415", ["a.pdf page 1", "no area"]),
        ({"a.pdf": raw_pdf(content=b"q " * 99_999)}, "JV415", ["a.pdf page 1", "too many nested"]),
        ({"a.png": huge_png(60_000, 60_000)}, "JV412", ["a.png", "178,000,000 pixels"]),
        ({"a.bmp": BMP + struct.pack("<iiHH", 60_000, -60_000, 1, 24) + bytes(24)}, "JV412", ["a.bmp"]),
        (
            {"a.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"},
            "JV411",
            ["a.png is no image", "PNG"],
        ),
        ({"a.png": png(1)[:60]}, "JV411", ["a.png is not a readable image", "truncated"]),
    ],
)
def test_a_page_with_a_fault(complains, files, code, names):
    task = documents(Path.cwd(), files)
    complains(["tasks", "validate", "--data", task, "--cache", "../cache"], code, *names)


@pytest.mark.parametrize("target", ["/etc/hostname", "/etc", "nothing", "link.pdf", "."])
def test_a_link_that_is_not_to_a_file_in_the_folder(complains, target):
    task = documents(Path.cwd())
    Path("data/link.pdf").symlink_to(target)
    complains(["eval", "--model", "bm25", "--task", task], "JV409", "link.pdf")


def test_a_file_name_that_is_no_text(complains):
    task = documents(Path.cwd())
    Path(os.fsdecode(b"data/\xff.pdf")).write_bytes(b"")
    complains(["eval", "--model", "bm25", "--task", task], "JV416", r"'\udcff.pdf'")


@pytest.mark.parametrize(
    ("changes", "code", "names"),
    [
        ({"corpus": {"image": None}}, "JV410", ["no column 'image'"]),
        ({"queries": {"query": [1, 2, 3]}}, "JV417", ["'query'", "int"]),
        ({"corpus": {"text": [["a"]] * 6}}, "JV417", ["'text'", "list"]),
        ({"queries": {"query-id": [None, 1, 2]}}, "JV440", ["'query-id' of row 1", "None"]),
        ({"qrels": {"corpus-id": [float(i) for i in range(6)]}}, "JV440", ["'corpus-id' of row 1", "0.0"]),
    ],
)
def test_a_column_with_a_fault(complains, changes, code, names):
    beir(Path("data/default"), **changes)
    complains(["eval", "--model", "fake", "--task", task_file(Path.cwd(), {})], code, *names)


def test_images_in_only_some_files_of_a_corpus(complains):
    beir(Path("data/default"), corpus={"text": ["Wasser"] * 6})
    parquet(Path("data/default/corpus/test-more.parquet"), {"corpus-id": [6], "text": ["Pumpe"]})
    complains(
        ["eval", "--model", "fake", "--task", task_file(Path.cwd(), {})], "JV410", "test-more", "'image'"
    )


@pytest.mark.parametrize(
    ("card", "code", "names"),
    [
        ("a: [", "JV408", ["README.md is not YAML"]),
        (f"a: {'[' * 9999}", "JV408", ["README.md is not YAML"]),
        (
            "configs: [{config_name: de, data_files: [{split: test, path: ../*}]}]",
            "JV404",
            ["'../*'", "'de'"],
        ),
    ],
)
def test_a_card_with_a_fault(complains, card, code, names):
    qa(Path("data/test.parquet"), [("?", "a", png(1))])
    Path("data/README.md").write_text(f"---\n{card}\n---\n")
    task = task_file(Path.cwd(), {"format": "qa"}, eval_langs={"de": ["deu-Latn"]})
    complains(["eval", "--model", "fake", "--task", task], code, *names)


def test_pairs_without_numbers_or_without_parquet(complains):
    columns = {"sentence1": images([png(1)]), "sentence2": images([png(2)]), "score": ["hoch"]}
    parquet(Path("data/test.parquet"), columns)
    task = task_file(Path.cwd(), {"format": "pairs"}, type="VisualSTS")
    complains(["eval", "--model", "fake", "--task", task], "JV433", "pair 0")
    Path("data/test.parquet").rename("data/test.csv")
    complains(["eval", "--model", "fake", "--task", task], "JV408", "test.csv is not a parquet file")


def test_ids_and_file_names_are_data(tmp_path, capsys):
    ids = ["../../a", "/b", "c,d", 'e"f', "g\nh", " i "]
    quoted = [f'"{name}"' for name in (name.replace('"', '""') for name in ids)]
    queries = "\n".join(["query-id,query", *(f"{name},Wasser" for name in quoted)])
    pages = ["x\ny_p1", "\u202ez_p1"]
    qrels = "\n".join(
        ["query-id\tcorpus-id\tscore", *(f'{name}\t"{page}"\t1' for name in quoted for page in pages)]
    )
    files = {"x\ny.pdf": pdf_bytes(1), "\u202ez.pdf": pdf_bytes(1)}
    task = documents(tmp_path / "in", {"queries.csv": queries, "qrels.tsv": qrels, **files})
    before = set(tmp_path.rglob("*"))
    results = ["--results", str(tmp_path / "out/results")]
    cache = ["--cache", str(tmp_path / "out/cache")]
    assert main(["eval", "--model", "fake", "--task", str(task), *results, *cache]) == 0
    assert main(["results", "export", "--to", "trec", "--out", str(tmp_path / "out/trec"), *results]) == 0
    (run,) = tmp_path.glob("out/trec/**/*.run")
    assert {len(line.split()) for line in run.read_text().splitlines()} == {6}
    assert len(run.read_text().splitlines()) == len(ids) * 5
    assert all(path.is_relative_to(tmp_path / "out") for path in set(tmp_path.rglob("*")) - before)
