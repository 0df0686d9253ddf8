"""`models check` says what is wrong with an encoder, and only that."""

import json

import pytest

from jina_vdr.cli import main

ENCODERS = """
import hashlib
from pathlib import Path
import numpy as np


class Sound:
    document_input = "text"

    def vector(self, text):
        total = np.zeros(64)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            total += np.random.default_rng(seed).standard_normal(64)
        return total / max(np.linalg.norm(total), 1e-9)

    def encode_queries(self, texts):
        return [self.vector(text) for text in texts]

    encode_documents = encode_queries


class Batch(Sound):
    def encode_documents(self, texts):
        vectors = np.array(self.encode_queries(texts))
        return vectors + 3 * vectors.mean(axis=0)


class Padded(Sound):
    '''Pads its texts to the longest of the batch and does not mask the padding.'''

    vector_type, similarity = "multi", "maxsim"

    def encode_queries(self, texts):
        return [np.array([self.vector(word) for word in text.split()] or [np.zeros(64)]) for text in texts]

    def encode_documents(self, texts):
        items = [-abs(item) for item in self.encode_queries(texts)]
        longest = max(map(len, items))
        return [np.pad(item, ((0, longest - len(item)), (0, 0))) for item in items]


class Neighbour(Sound):
    def encode_documents(self, texts):
        vectors = np.array(self.encode_queries(texts))
        return vectors + 2 * np.roll(vectors, 1, axis=0)


class Dice(Sound):
    def encode_queries(self, texts):
        return np.random.default_rng().standard_normal((len(texts), 64))


class Nearly(Sound):
    def encode_documents(self, texts):
        return np.array(self.encode_queries(texts)) + 5e-4 * len(texts)


class Constant(Sound):
    def encode_documents(self, texts):
        return np.ones((len(texts), 64))


class Nothing(Sound):
    def encode_documents(self, texts):
        return np.zeros((len(texts), 64))


class Long(Sound):
    similarity = "dot"

    def encode_documents(self, texts):
        return [3 * vector for vector in self.encode_queries(texts)]


class Opens(Sound):
    def encode_queries(self, texts):
        return [self.vector("image" if Path(text).is_file() else text) for text in texts]


class NaN(Sound):
    def encode_documents(self, texts):
        return np.full((len(texts), 64), np.nan)
"""


@pytest.fixture
def encoders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encoders.py").write_text(ENCODERS)


def checked(capsys, name, *more):
    code = main(["models", "check", f"encoders.py:{name}", "--cache", "cache", "--json", *more])
    report = json.loads(capsys.readouterr().out)
    return code, report["verdict"], {f["name"] for f in report["findings"] if f["verdict"] != "ok"}, report


@pytest.mark.parametrize(
    ("name", "code", "verdict", "about"),
    [
        ("Sound", 0, "ok", set()),
        ("Batch", 1, "fail", {"batch", "length"}),
        ("Padded", 1, "fail", {"batch", "length"}),
        ("Neighbour", 1, "fail", {"batch", "order"}),
        ("Dice", 1, "fail", {"repeats", "batch", "order", "paths"}),
        ("Nearly", 0, "warn", {"batch"}),
        ("Constant", 1, "fail", {"told apart"}),
        ("Nothing", 1, "fail", {"told apart", "length"}),
        ("Long", 0, "warn", {"length"}),
        ("Opens", 1, "fail", {"paths"}),
    ],
)
def test_what_is_wrong_is_said_and_nothing_else(encoders, capsys, name, code, verdict, about):
    found = checked(capsys, name)
    assert found[:2] == (code, verdict)
    assert found[2] - {"length"} == about - {"length"}


def test_the_effect_of_the_batch_on_the_score_is_said(encoders, capsys):
    report = checked(capsys, "Batch")[3]
    (batch,) = (finding["text"] for finding in report["findings"] if finding["name"] == "batch")
    assert "nDCG@5" in batch
    assert "becomes" in batch
    assert main(["models", "check", "encoders.py:Batch", "--cache", "cache"]) == 1
    out = capsys.readouterr().out
    assert out.endswith("verdict: do not trust Batch: batch\n")
    assert f"FAIL  batch       {batch}" in out


def test_the_golden_numbers_are_the_same_in_each_run_and_others_in_another_language(encoders, capsys):
    def golden(*more):
        (text,) = (f["text"] for f in checked(capsys, "Sound", *more)[3]["findings"] if f["name"] == "golden")
        return text

    assert golden() == golden()
    assert golden() != golden("--language", "deu")


def test_checking_keeps_nothing(encoders, capsys, tmp_path):
    checked(capsys, "Sound")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["encoders.py"]


def test_what_cannot_be_checked_is_one_line(encoders, complains, tmp_path):
    complains(["models", "check", "bm25"], "JV134", "bm25")
    complains(["models", "check", tmp_path / "encoders.py:NaN"], "JV423", "NaN")
    complains(["models", "check", "fake", "--language", "tlh"], "JV103", "tlh")
    complains(["models", "check", "fake", "--max-pixels", "9"], "JV108", "--max-pixels")
