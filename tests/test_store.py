"""The store gives back what was kept, bit for bit, and nothing that is damaged or another's."""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from jina_vdr.encoders.base import pack
from jina_vdr.encoders.fake import Fake
from jina_vdr.model import parse_model
from jina_vdr.records import Collection, Embeddings, Page, Query
from jina_vdr.retrieval import EncoderRanker
from jina_vdr.store import Store

AT_A_TIME = 64
KEYS = [f"page{i}" for i in range(2 * AT_A_TIME + 2)]
MODEL = {"model": "m", "side": "document"}


def item(key, dtype=np.float32):
    """Return some rows of eight values that follow from the key."""
    random = np.random.default_rng(list(key.encode("utf-8", "surrogatepass")))
    return random.standard_normal((1 + len(key) % 4, 8)).astype(dtype)


class Asked:
    """Fetches the vectors of keys from a store, and remembers for which it had to compute them."""

    def __init__(self, root, producer=MODEL, dtype=np.float32):
        self.shelf, self.dtype, self.computed = Store(root).shelf(producer), dtype, []

    def __call__(self, keys, progress=lambda _: None):
        def compute(positions):
            for start in range(0, len(positions), AT_A_TIME):
                part = positions[start : start + AT_A_TIME]
                self.computed += [keys[i] for i in part]
                yield part, pack([item(keys[i], self.dtype) for i in part], self.dtype)

        return self.shelf.embeddings(keys, compute, progress)


def same(embeddings, keys, dtype=np.float32):
    """Say whether these are the vectors of `keys`, in this order, bit for bit."""
    items = [item(key, dtype) for key in keys]
    expected = Embeddings(np.concatenate(items), np.cumsum([0, *map(len, items)]))
    return (
        embeddings.values.dtype == expected.values.dtype
        and embeddings.values.tobytes() == expected.values.tobytes()
        and embeddings.offsets.tolist() == expected.offsets.tolist()
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_come_back_bit_for_bit_in_the_order_asked_for(tmp_path, dtype):
    assert same(Asked(tmp_path, dtype=dtype)(KEYS), KEYS, dtype)
    shuffled = [*reversed(KEYS), *KEYS[:3]]
    assert same(Asked(tmp_path, dtype=dtype)(shuffled), shuffled, dtype)


def test_values_that_are_no_ordinary_numbers_come_back_too(tmp_path):
    odd = np.array([[-0.0, 0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38]], np.float32)
    Store(tmp_path).shelf(MODEL).embeddings(["a"], lambda at: [(at, pack([odd], np.float32))])
    again = Store(tmp_path).shelf(MODEL).embeddings(["a"], lambda _: pytest.fail("computed again"))
    assert again.values.tobytes() == odd.tobytes()


def test_equal_keys_are_computed_once(tmp_path):
    asked, keys = Asked(tmp_path), ["b", "a", "b", "b", "c", "a"]
    assert same(asked(keys), keys)
    assert asked.computed == ["b", "a", "c"]


def test_a_second_store_computes_only_what_is_new(tmp_path):
    Asked(tmp_path)(KEYS)
    again = Asked(tmp_path)
    assert same(again(KEYS), KEYS)
    assert again.computed == []
    assert same(again(["new", *KEYS]), ["new", *KEYS])
    assert again.computed == ["new"]


def test_progress_reaches_the_number_of_keys(tmp_path):
    Asked(tmp_path)(KEYS[:50])
    steps = []
    Asked(tmp_path)([*KEYS, *KEYS[40:60]], steps.append)
    assert sum(steps) == len(KEYS) + 20
    assert steps[0] == 60


def test_what_was_finished_before_an_error_is_kept(tmp_path):
    def compute(positions):
        done = positions[5:40]
        yield done, pack([item(KEYS[i]) for i in done], np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).shelf(MODEL).embeddings(KEYS, compute)
    again = Asked(tmp_path)
    assert same(again(KEYS), KEYS)
    assert again.computed == [*KEYS[:5], *KEYS[40:]]


@pytest.mark.parametrize("more", [{"side": "query"}, {"model": "n"}, {"revision": None}, {"settings": {}}])
def test_another_producer_shares_nothing(tmp_path, more):
    Asked(tmp_path)(["a"])
    other = Asked(tmp_path, {**MODEL, **more})
    other(["a"])
    assert other.computed == ["a"]
    same_again = Asked(tmp_path, dict(reversed(MODEL.items())))
    same_again(["a"])
    assert same_again.computed == []


class Counted(Fake):
    """The fake model, counting what it encodes."""

    def __init__(self, **changes):
        super().__init__(parse_model("fake"))
        self.document_input = changes.pop("document_input", "text")
        self.info, self.queries, self.pages = replace(self.info, **changes), 0, 0

    def encode_queries(self, queries):
        self.queries += len(queries)
        return super().encode_queries(queries)

    def encode_documents(self, pages):
        self.pages += len(pages)
        return super().encode_documents(pages)


def encoded(root, **changes):
    """Return how many queries and pages a model encodes whose only page is the word of its only query."""
    model = Counted(**changes)
    pages = [Page("p", sha256(b"Wort").hexdigest(), None, lambda: "Wort")]
    EncoderRanker(model, Store(root)).rank(
        Collection("Task", "de", ("deu-Latn",), pages, [Query("q", "Wort")], {"q": {"p": 1}}), 1
    )
    return model.queries, model.pages


def test_a_query_and_a_page_of_the_same_text_are_each_encoded(tmp_path):
    assert encoded(tmp_path) == (1, 1)
    assert encoded(tmp_path) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"name": "other"}, (1, 1)),
        ({"family": "st"}, (1, 1)),
        ({"revision": "2"}, (1, 1)),
        ({"revision": None}, (1, 1)),
        ({"vector_type": "multi"}, (1, 1)),
        ({"settings": {"truncate_dim": 64}}, (1, 1)),
        ({"settings": {"truncate_dim": None, "dtype": "float16"}}, (1, 1)),
        ({"document_input": "image"}, (0, 1)),
        ({"similarity": "dot"}, (0, 0)),
    ],
)
def test_a_model_that_differs_in_anything_that_can_change_a_vector_encodes_anew(tmp_path, changes, anew):
    encoded(tmp_path)
    assert encoded(tmp_path, **changes) == anew


DAMAGE = {
    "emptied": lambda data: b"",
    "truncated": lambda data: data[:-1],
    "garbage": lambda data: b"\xff" * len(data),
    "longer": lambda data: data + b"\0",
    "first byte flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "a byte amid flipped": lambda data: data[:2000] + bytes([data[2000] ^ 128]) + data[2001:],
    "last byte flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_of_a_damaged_shard_only_its_items_are_computed_again(tmp_path, damage):
    Asked(tmp_path)(KEYS)
    shard = next(path for path in tmp_path.glob("*/*") if load_file(path)["offsets"].shape == (65,))
    lost = load_file(shard)["keys"].tobytes().decode().split("\n")
    shard.write_bytes(damage(shard.read_bytes()))
    again, third = Asked(tmp_path), Asked(tmp_path)
    assert same(again(KEYS), KEYS)
    assert sorted(again.computed) == sorted(lost)
    assert same(third(KEYS), KEYS)
    assert third.computed == []


def test_files_that_are_no_shards_do_not_matter(tmp_path):
    Asked(tmp_path)(KEYS)
    shard = next(tmp_path.glob("*/*"))
    shard.with_name(f".{shard.name}.0badcafe.tmp").write_bytes(shard.read_bytes()[:500])
    shard.with_name("notes.safetensors").write_text("mine")
    again = Asked(tmp_path)
    assert same(again(KEYS), KEYS)
    assert again.computed == []


WRITER = """
import sys, time
from pathlib import Path
from tests.test_store import Asked, same
root, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
(root / f"ready{first}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
for start in range(first, last, 5):
    keys = [f"page{i}" for i in range(start, start + 9)]
    assert same(Asked(root / "store")(keys), keys)
"""


def test_processes_that_write_side_by_side_leave_a_whole_store(tmp_path):
    top = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, first, "150"], cwd=top) for first in ("0", "1", "30")]
    while len(list(tmp_path.glob("ready*"))) < 3:
        assert all(writer.poll() is None for writer in writers)
    (tmp_path / "go").touch()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    again = Asked(tmp_path / "store")
    assert same(again(KEYS), KEYS)
    assert again.computed == []
    assert {path.suffix for path in tmp_path.glob("store/*/*")} == {".safetensors"}


TEXTS = {"a": "", "b": "Grüße\n\tמדיה 🙂", "c": "\0", "d": " ", "e": "", "f": "a\u2028b\r\n"}


def test_texts_come_back_as_they_were(tmp_path):
    Store(tmp_path).shelf(MODEL).keep_texts(TEXTS)
    assert Store(tmp_path).shelf(MODEL).texts(["e", "d", "unknown", "c", "b", "a", "a", "f"]) == TEXTS


def test_a_shard_of_nothing_but_empty_texts_comes_back(tmp_path):
    shelf = Store(tmp_path).shelf(MODEL)
    shelf.keep_texts({"a": "", "b": ""})
    assert shelf.texts(["b"]) == {"b": ""}
    assert Store(tmp_path).shelf(MODEL).texts("ab") == {"a": "", "b": ""}


ODD = ["", " ", "a\nb", "b", "a", "a\\nb", "\\", "\r", "../../x", "/etc", "ä", "\u2028", "🙂", "\ud800", "\0"]


def test_keys_may_hold_any_character(tmp_path):
    Asked(tmp_path)(ODD)
    again = Asked(tmp_path)
    assert same(again(ODD[::-1]), ODD[::-1])
    assert again.computed == []


def test_nothing_is_created_before_something_is_kept(tmp_path):
    root = tmp_path / "cache" / "store"
    shelf = Store(root).shelf(MODEL)
    assert shelf.texts(["a"]) == {}
    shelf.keep_texts({})
    with pytest.raises(ZeroDivisionError):
        shelf.embeddings(["a"], lambda _: 1 / 0)
    assert list(tmp_path.iterdir()) == []
