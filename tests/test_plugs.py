"""A class of one's own as a model: from a file, or from an installed package."""

import json
import subprocess
import sys
import textwrap

import pytest

from jina_vdr.cli import main
from tests.replicas import beir, images, png, task_file

COLOUR = """
import numpy as np


class Colour:
    similarity = "dot"
    settings = {"scale": 2}

    def __init__(self, truncate_dim=None):
        self.dimensions = truncate_dim or 3

    def encode_queries(self, texts):
        return [[2.0 * int(text.split()[-1]), 0.0, 1.0][: self.dimensions] for text in texts]

    def encode_documents(self, pages):
        return np.array([page.getpixel((0, 0)) for page in pages], float)[:, : self.dimensions]


class Words:
    document_input, vector_type, name = "text", "multi", "acme/words"

    def encode_queries(self, texts):
        return [np.array([[len(word), 1.0] for word in text.split()]) for text in texts]

    encode_documents = encode_queries


class Wrong:
    def encode_queries(self, texts):
        return np.zeros((len(texts), 2))

    def encode_documents(self, pages):
        return np.zeros((len(pages), 2, 2))


class Half:
    def encode_queries(self, texts):
        return []


class Odd(Colour):
    document_input = "sound"
"""


@pytest.fixture
def plug(tmp_path):
    path = tmp_path / "colour.py"
    path.write_text(COLOUR)
    return path


@pytest.fixture
def task(tmp_path):
    corpus = {"image": images([png(shade) for shade in (5, 30, 60, 90)]), "text": ["a b", "cc", "ddd d", "e"]}
    beir(tmp_path / "data/default", n_pages=4, n_queries=3, corpus=corpus)
    return task_file(tmp_path, {})


def call(task, model, *more):
    folders = ["--results", str(task.parent / "results"), "--cache", str(task.parent / "cache")]
    return ["eval", "--model", model, "--task", str(task), *folders, *more]


def results(task):
    paths = sorted((task.parent / "results").glob("*/*/*.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_a_class_in_a_file_is_a_model(plug, task, capsys):
    assert main(call(task, f"{plug}:Colour")) == 0
    (result,) = results(task)
    model = result["model"]
    assert (model["name"], model["family"], model["similarity"]) == ("Colour", "plug", "dot")
    assert model["settings"]["scale"] == 2
    assert main(call(task, f"plug:{plug}:Colour")) == 0
    assert len(results(task)) == 1
    assert "Colour" in capsys.readouterr().out


def test_a_late_interaction_class_over_texts_gets_its_texts(plug, task):
    assert main(call(task, f"{plug}:Words")) == 0
    (result,) = results(task)
    assert (result["model"]["name"], result["model"]["similarity"]) == ("acme/words", "maxsim")


def test_an_option_reaches_the_class_that_takes_it_and_is_another_result(plug, task):
    assert main(call(task, f"{plug}:Colour")) == 0
    assert main(call(task, f"{plug}:Colour", "--truncate-dim", "1")) == 0
    plug.write_text(COLOUR + "\n# another state of the code\n")
    assert main(call(task, f"{plug}:Colour")) == 0
    assert len({result["id"] for result in results(task)}) == 3
    assert {result["model"]["settings"].get("truncate_dim") for result in results(task)} == {1, None}


@pytest.mark.parametrize(
    ("name", "more", "code", "words"),
    [
        ("Nothing", [], "JV133", ["has no class Nothing"]),
        ("Half", [], "JV133", ["encode_documents"]),
        ("Odd", [], "JV133", ["'sound'"]),
        ("Colour", ["--max-pixels", "9"], "JV108", ["--max-pixels", "--truncate-dim"]),
        ("Wrong", [], "JV456", ["shape (2, 2)"]),
    ],
)
def test_a_class_that_is_no_encoder_is_one_line(plug, tmp_path, complains, name, more, code, words):
    corpus = {"image": images([png(shade) for shade in (5, 30, 60)])}
    beir(tmp_path / "in/data/default", n_pages=3, n_queries=2, corpus=corpus)
    task = task_file(tmp_path / "in", {})
    complains(["eval", "--model", f"{plug}:{name}", "--task", task, *more], code, *words)


@pytest.mark.parametrize("text", ["import nothing_of_this_name", "raise ValueError('no luck')", "def ("])
def test_a_file_that_cannot_be_imported_is_one_line(plug, complains, text):
    plug.write_text(text)
    complains(["eval", "--model", f"{plug}:Colour", "--benchmark", "demo"], "JV458", "colour.py")


def test_a_file_that_is_not_there_is_one_line(complains):
    complains(["eval", "--model", "nothing.py:Colour", "--benchmark", "demo"], "JV133", "nothing.py")


def test_a_package_brings_a_model_that_is_called_by_its_name(tmp_path, task):
    package = tmp_path / "package"
    package.mkdir()
    (package / "acme_encoder.py").write_text(
        COLOUR.replace("self, truncate_dim", "self, shade, truncate_dim")
    )
    (package / "pyproject.toml").write_text(
        textwrap.dedent("""
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "acme-encoder"
        version = "1.2"
        [project.entry-points."jina_vdr.encoders"]
        acme = "acme_encoder:Colour"
        fake = "acme_encoder:Colour"
        [tool.hatch.build.targets.wheel]
        only-include = ["acme_encoder.py"]
        """)
    )
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(package)], check=True)
    code = "import sys; from jina_vdr.cli import main; sys.exit(main(sys.argv[1:]))"
    env = {"PYTHONPATH": f"{site}:.:synth", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True
        )

    done = run(*call(task, "acme:blue"))
    assert done.returncode == 0, done.stderr
    (result,) = results(task)
    assert result["model"]["revision"] == "1+acme-encoder-1.2"
    assert result["model"]["settings"]["argument"] == "blue"
    assert run(*call(task, "fake")).returncode == 0
    assert {result["model"]["family"] for result in results(task)} == {"plug", "fake"}
    wrong = run(*call(task, "acm:blue"))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "did you mean 'acme'?" in wrong.stderr


def test_several_devices_are_several_processes_with_the_vectors_of_one(plug, task, tmp_path):
    plug.write_text(
        COLOUR
        + textwrap.dedent(f"""
        class Where(Colour):
            def __init__(self, device=None):
                super().__init__()
            def encode_documents(self, pages):
                import os, time
                open({str(tmp_path)!r} + f"/pid{{os.getpid()}}", "w")
                time.sleep(0.2)
                return super().encode_documents(pages)
        """)
    )
    assert main(call(task, f"{plug}:Where", "--device", "cpu", "--batch-size", "1")) == 0
    assert len(list(tmp_path.glob("pid*"))) == 1
    more = ["--results", str(tmp_path / "two"), "--cache", str(tmp_path / "second")]
    assert main([*call(task, f"{plug}:Where", "--device", "cpu,cpu", "--batch-size", "1"), *more]) == 0
    assert len(list(tmp_path.glob("pid*"))) == 3
    (one,), (two,) = results(task), [json.loads(p.read_text()) for p in (tmp_path / "two").glob("*/*/*.json")]
    assert one["scores"][0]["metrics"] == two["scores"][0]["metrics"]
    assert (one["id"], two["provenance"]["runtime"]["device"]) == (two["id"], "cpu,cpu")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("import os; os._exit(9)", "JV457", ["exit code 9", "run the same command again"]),
        ("return []", "JV456", ["0 vectors for 1 items"]),
    ],
)
def test_a_process_that_fails_or_dies_is_one_line(plug, tmp_path, complains, body, code, words):
    plug.write_text(
        COLOUR + f"\nclass Bad(Colour):\n    def encode_documents(self, pages):\n        {body}\n"
    )
    corpus = {"image": images([png(shade) for shade in (5, 30, 60)])}
    beir(tmp_path / "in/data/default", n_pages=3, n_queries=2, corpus=corpus)
    task = task_file(tmp_path / "in", {})
    plug.write_text(
        plug.read_text().replace("self, truncate_dim=None", "self, device=None, truncate_dim=None")
    )
    complains(["eval", "--model", f"{plug}:Bad", "--task", task, "--device", "cpu,cpu"], code, *words)
