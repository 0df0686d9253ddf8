"""What is wrong with data stops the run with one sentence that names it, under a stable code."""

import io

import pymupdf
import pytest
from PIL import Image

from jina_vdr.data.inspection import inspect
from jina_vdr.errors import DataError
from jina_vdr.hub import Hub
from jina_vdr.images import decode
from tests.replicas import beir, card, huge_png, images, load, parquet, png, qa, replica_task, table

SHARD = "test-00000-of-00001.parquet"
NO_PAGES = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def refused(code, task, *names, subset="default", split="test"):
    """Assert that loading the task fails with `code`, in one line that holds all `names`."""
    with pytest.raises(DataError) as caught:
        load(task, subset, split)
    says(caught.value, code, *names)


def says(error, code, *names):
    assert error.code == code
    assert error.exit_code == 4
    assert "\n" not in error.message
    for name in names:
        assert name in str(error)


def broken(root, **changes):
    """Return a beir task some of whose columns are replaced."""
    beir(root / "data/default", **changes)
    return replica_task(root, {})


def folder(root, name, content):
    """Return a folder task whose one document is the file `name`."""
    (root / "data").mkdir()
    (root / "data" / name).write_bytes(content)
    table(root / "data/queries.csv", ("query-id", "query"), ("1", "?"))
    table(root / "data/qrels.tsv", ("query-id", "corpus-id", "score"), ("1", "manual_p1", 1))
    return replica_task(root, {"format": "folder"})


def pdf_bytes(**save):
    document = pymupdf.open()
    for _ in range(3):
        document.new_page().insert_text((40, 60), "Seite")
    return document.tobytes(**save)


def test_a_missing_folder(tmp_path):
    refused("JV404", replica_task(tmp_path, {}), "Replica", str(tmp_path / "data"))


def test_a_missing_subset_folder_with_the_nearest_name(tmp_path):
    beir(tmp_path / "data/de")
    task = replica_task(tmp_path, {}, eval_langs={"dee": ["deu-Latn"]})
    refused("JV404", task, "'dee/corpus'", "did you mean 'de/corpus'?", subset="dee")


def test_a_missing_file(tmp_path):
    beir(tmp_path / "data/default")
    refused("JV404", replica_task(tmp_path, {"queries": {"file": "fragen.csv"}}), "'fragen.csv'")


def test_a_glob_without_documents(tmp_path):
    refused("JV404", folder(tmp_path, "notes.txt", b"text"), "**/*", "no PDF or image")


def test_a_missing_config(tmp_path):
    card(tmp_path / "data", {"german": "*.parquet"})
    task = replica_task(tmp_path, {"format": "qa"}, eval_langs={"germann": ["deu-Latn"]})
    refused("JV405", task, "'germann'", "did you mean 'german'?", subset="germann")


def test_a_missing_split_of_a_folder(tmp_path):
    refused("JV406", broken(tmp_path), "split 'dev'", "default/corpus", split="dev")


def test_a_missing_split_of_a_config(tmp_path):
    qa(tmp_path / "data/dev-0.parquet", [("?", "a", png(1))])
    card(tmp_path / "data", {"default": "dev-0.parquet"}, split="dev")
    refused("JV406", replica_task(tmp_path, {"format": "qa"}), "split 'test'", "it has: dev")


@pytest.mark.parametrize("there", ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"])
def test_a_missing_shard_first_or_last(tmp_path, there):
    task = broken(tmp_path)
    corpus = tmp_path / "data/default/corpus"
    (corpus / SHARD).rename(corpus / there)
    refused("JV407", task, "1 of 2 files", "default/corpus/test-*")


@pytest.mark.parametrize("keep", [0, 100, -60])
def test_a_truncated_parquet_file(tmp_path, keep):
    task = broken(tmp_path)
    path = tmp_path / "data/default/corpus" / SHARD
    path.write_bytes(path.read_bytes()[:keep])
    refused("JV408", task, str(path))


def test_a_damaged_row_group(tmp_path):
    task = broken(tmp_path)
    path = tmp_path / "data/default/qrels" / SHARD
    data = path.read_bytes()
    path.write_bytes(data[:4] + bytes(60) + data[64:])
    refused("JV408", task, str(path))


def test_front_matter_that_is_not_yaml(tmp_path):
    qa(tmp_path / "data/test.parquet", [("?", "a", png(1))])
    (tmp_path / "data/README.md").write_text("---\nconfigs: [\n---\n")
    refused("JV408", replica_task(tmp_path, {"format": "qa"}), "README.md")


def test_a_link_out_of_the_folder(tmp_path):
    secret = tmp_path / "secret.parquet"
    task = broken(tmp_path)
    path = tmp_path / "data/default/queries" / SHARD
    path.rename(secret)
    path.symlink_to(secret)
    refused("JV409", task, SHARD, "leads out")


@pytest.mark.parametrize(
    ("part", "column"), [("corpus", "corpus-id"), ("queries", "query"), ("qrels", "score")]
)
def test_a_missing_column_in_each_part(tmp_path, part, column):
    task = broken(tmp_path, **{part: {column: None, column.upper(): [1] * (3 if part == "queries" else 6)}})
    refused("JV410", task, f"'{column}'", "columns.")


def test_bytes_that_are_not_an_image(tmp_path):
    task = broken(tmp_path, corpus={"image": images([b"<html>", *map(png, range(5))])})
    with pytest.raises(DataError) as caught:
        inspect(task, Hub(tmp_path / "cache", offline=True))
    says(caught.value, "JV411", "page '0'")


@pytest.mark.parametrize("exif", [b"MM\0*\0\0\0\x08\0\x05", b"II*\0\x08\0\0\0\x01\0\x12\x01", b"XX"])
def test_damaged_exif_data_is_no_reason_to_lose_a_page_nor_to_speak_of(exif, recwarn):
    photo = io.BytesIO()
    Image.new("RGB", (20, 30)).save(photo, "JPEG", exif=b"Exif\0\0" + exif)
    assert decode(photo.getvalue(), "page").size == (20, 30)
    assert not recwarn


def test_an_image_bomb_is_refused_by_its_header(tmp_path):
    page = load(
        broken(tmp_path, corpus={"image": images([huge_png(20_000, 20_000), *map(png, range(5))])})
    ).corpus[0]
    with pytest.raises(DataError) as caught:
        page.open_image()
    says(caught.value, "JV412", "page '0'", "178,000,000 pixels")


def test_the_largest_sheet_is_no_bomb_for_its_size(tmp_path):
    page = load(
        broken(tmp_path, corpus={"image": images([huge_png(9_933, 14_043), *map(png, range(5))])})
    ).corpus[0]
    with pytest.raises(DataError) as caught:
        page.open_image()
    assert caught.value.code == "JV411"


def test_a_path_instead_of_bytes(tmp_path):
    cells = [{"bytes": None, "path": "/etc/hostname"}] * 6
    refused("JV413", broken(tmp_path, corpus={"image": cells}), "page '0'", "/etc/hostname")


@pytest.mark.parametrize("cells", [["a.png"] * 6, list(range(6))], ids=["text", "numbers"])
def test_an_image_column_of_another_type(tmp_path, cells):
    refused("JV413", broken(tmp_path, corpus={"image": cells}), "page '0'", "it must hold bytes")


def test_a_row_without_image_and_text(tmp_path):
    refused("JV413", broken(tmp_path, corpus={"image": images([None, *map(png, range(5))])}), "page '0'")


def test_an_encrypted_pdf(tmp_path):
    data = pdf_bytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="geheim", owner_pw="geheim")
    refused("JV414", folder(tmp_path, "manual.pdf", data), "manual.pdf", "password")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (pdf_bytes()[:-400], "truncated"),
        (b"<html>404 Not Found</html>", "manual.pdf"),
        (b"", "manual.pdf"),
        (NO_PAGES, "no pages"),
    ],
    ids=["truncated", "not a PDF", "empty file", "no pages"],
)
def test_a_pdf_that_cannot_be_read(tmp_path, content, what):
    refused("JV415", folder(tmp_path, "manual.pdf", content), "manual.pdf", what)


@pytest.mark.parametrize(("part", "column"), [("corpus", "corpus-id"), ("queries", "query-id")])
def test_ids_that_stand_twice(tmp_path, part, column):
    values = [7, 7, *range(4)][: 6 if part == "corpus" else 3]
    refused("JV431", broken(tmp_path, **{part: {column: values}}), "'7' stands twice", "Replica")


@pytest.mark.parametrize("name", ["", "a\0b"])
@pytest.mark.parametrize(("part", "column"), [("corpus", "corpus-id"), ("queries", "query-id")])
def test_ids_that_trec_eval_could_not_read(tmp_path, part, column, name):
    values = [name, *map(str, range(5))][: 6 if part == "corpus" else 3]
    refused("JV440", broken(tmp_path, **{part: {column: values}}), repr(name), "NUL")


def test_documents_of_one_name_and_two_kinds(tmp_path):
    task = folder(tmp_path, "scan.png", png(1))
    (tmp_path / "data/scan.jpg").write_bytes(png(2))
    refused("JV431", task, "'scan' stands twice")


def test_a_pair_judged_twice_differently_but_not_twice_the_same(tmp_path):
    rows = {"query-id": [0, 0], "corpus-id": [1, 1]}
    path = tmp_path / "data/default/qrels" / SHARD
    task = broken(tmp_path)
    parquet(path, {**rows, "score": [2, 2]})
    assert load(task).qrels == {"0": {"1": 2}}
    parquet(path, {**rows, "score": [2, 0]})
    refused("JV432", task, "query '0'", "page '1'")


@pytest.mark.parametrize("score", ["hoch", None, 0.5, float("nan"), float("inf")])
def test_a_relevance_that_is_no_whole_number(tmp_path, score):
    refused("JV433", broken(tmp_path, qrels={"score": [score] * 6}), "query '0'", "whole number")


def test_a_pair_without_score(tmp_path):
    columns = {"sentence1": images([png(1)] * 2), "sentence2": images([png(2)] * 2), "score": [1.0, None]}
    parquet(tmp_path / "data/test.parquet", columns)
    refused("JV433", replica_task(tmp_path, {"format": "pairs"}, type="VisualSTS"), "pair 1 has no score")


def test_a_query_without_a_relevant_page_where_that_is_an_error(tmp_path):
    beir(tmp_path / "data/default", qrels={"score": [1, 1, 1, 1, 0, 0]})
    task = replica_task(tmp_path, {}, protocol={"queries_without_positives": "error"})
    refused("JV434", task, "query '2'")


def test_nothing_left_to_ask(tmp_path):
    refused("JV435", broken(tmp_path, qrels={"score": [0] * 6}), "Replica (default)")


def test_no_pair(tmp_path):
    columns = {"sentence1": images([]), "sentence2": images([]), "score": []}
    parquet(tmp_path / "data/test.parquet", columns)
    refused("JV435", replica_task(tmp_path, {"format": "pairs"}, type="VisualSTS"), "Replica (default)")


def test_qrels_of_a_folder_to_an_unknown_query(tmp_path):
    task = folder(tmp_path, "manual.pdf", pdf_bytes())
    table(tmp_path / "data/qrels.tsv", ("query-id", "corpus-id", "score"), ("11", "manual_p1", 1))
    refused("JV436", task, "'11'", "did you mean '1'?")


def test_qrels_to_an_unknown_page(tmp_path):
    task = folder(tmp_path, "manual.pdf", pdf_bytes())
    table(tmp_path / "data/qrels.tsv", ("query-id", "corpus-id", "score"), ("1", "manual_p0", 1))
    refused("JV437", task, "'manual_p0'", "did you mean 'manual_p")


@pytest.mark.parametrize(("what", "has"), [("queries", 3), ("documents", 6), ("qrels", 6)])
def test_counts_that_are_not_the_expected_ones(tmp_path, what, has):
    beir(tmp_path / "data/default")
    load(replica_task(tmp_path, {}, expected={"default": {what: has}}))
    task = replica_task(tmp_path, {}, expected={"default": {what: 1234}})
    refused("JV438", task, f"{has} {what}", "1,234")


def test_one_file_name_for_two_images(tmp_path):
    qa(tmp_path / "data/test.parquet", [("?", "a.png", png(1)), ("!", "a.png", png(2))])
    refused("JV439", replica_task(tmp_path, {"format": "qa"}), "'a.png'", "two different images")
