"""The generator: pages that are true and readable, queries that follow from them, always the same data."""

import io
import json
import re
from collections import Counter
from random import Random

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from jina_vdr.catalog import bundled_root
from jina_vdr.cli import main
from jina_vdr.errors import DataError
from jina_vdr_synth.build import draw
from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import WESTERN, Content, content, subsets
from jina_vdr_synth.queries import queries
from jina_vdr_synth.recipe import find_recipe
from jina_vdr_synth.sts import graded

DEMO = bundled_root() / "demo"
KINDS = {"question", "keyword", "key-phrase", "description", "fact", "instruction"}
ONE_OF_A_KIND = {"tables": ["third", "total"], "charts": ["value"], "forms": ["fee", "number"]} | {
    "markdown-docs": ["port"],
    "slides": ["item"],
}


def rows(*folders, root=DEMO):
    [path] = root.joinpath(*folders).glob("*.parquet")
    return pq.read_table(path).to_pylist()


def pixels(row):
    """Replace the bytes of images by what is seen: encoders of other versions may write other bytes."""
    return {
        name: Image.open(io.BytesIO(cell["bytes"])).tobytes() if isinstance(cell, dict) else cell
        for name, cell in row.items()
    }


def numbers(text):
    """Return all whole numbers, whatever their digits."""
    return {int(number) for number in re.findall(r"\d+", text)}


@pytest.fixture(scope="module", params=["ar", "jp"])
def drawn(request):
    """Return the words, pages and queries of one language; facts do not depend on the resolution."""
    words = content(request.param)
    pages = list(draw(find_recipe("demo").model_copy(update={"dpi": 36}), request.param))
    return words, pages, queries(words, pages)


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Return what BM25 scores on the bundled benchmark, by task and subset."""
    folder = tmp_path_factory.mktemp("bm25")
    where = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    assert main(["eval", "--model", "bm25", "--benchmark", "demo", *where]) == 0
    results = [json.loads(path.read_text()) for path in (folder / "results").rglob("Demo*.json")]
    return {result["task"]["name"]: {s["subset"]: s for s in result["scores"]} for result in results}


def test_drawing_the_demo_again_gives_what_is_committed(tmp_path):
    assert main(["synth", "build", "demo", "--out", str(tmp_path), "--language", "urd"]) == 0
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["README.md", "ur"]
    for folders in (*(("pages", "ur", part) for part in ("corpus", "queries", "qrels")), ("sts", "ur")):
        assert [*map(pixels, rows(*folders, root=tmp_path))] == [*map(pixels, rows(*folders))]
    for card in ("pages/README.md", "sts/README.md"):
        new = set((tmp_path / card).read_text().splitlines()) - set((DEMO / card).read_text().splitlines())
        assert new == {'language: ["ur"]'}


def test_task_files_cards_and_data_count_alike():
    task, card = (
        yaml.safe_load((DEMO / "../demo-pages.yaml").read_text()),
        (DEMO / "pages/README.md").read_text(),
    )
    sts, sts_card = (
        yaml.safe_load((DEMO / "../demo-sts.yaml").read_text()),
        (DEMO / "sts/README.md").read_text(),
    )
    assert [*task["expected"]] == [*sts["expected"]] == find_recipe("demo").subsets == subsets()
    for subset, expected in task["expected"].items():
        parts = {"queries": "queries", "documents": "corpus", "qrels": "qrels"}
        counts = {name: len(rows("pages", subset, part)) for name, part in parts.items()}
        assert expected == counts
        [tag] = task["eval_langs"][subset]
        assert f"| {subset} | {tag} | {' | '.join(map(str, counts.values()))} |" in card
        assert sts["expected"][subset] == {"pairs": len(rows("sts", subset))}
        assert f"| {subset} | {tag} | {len(rows('sts', subset))} |" in sts_card


@pytest.mark.parametrize("subset", subsets())
def test_every_language_has_all_kinds_of_queries_and_each_is_answered_by_a_page(subset):
    pages = {row["corpus-id"] for row in rows("pages", subset, "corpus")}
    asked = rows("pages", subset, "queries")
    qrels = rows("pages", subset, "qrels")
    assert len(pages) == 20
    assert {row["kind"] for row in asked} == KINDS
    assert len({row["query"] for row in asked}) == len(asked)
    assert {row["corpus-id"] for row in qrels} <= pages
    assert {row["query-id"] for row in qrels if row["score"] == 2} == {row["query-id"] for row in asked}


def test_no_two_pages_have_the_same_image():
    images = [row["image"]["bytes"] for subset in subsets() for row in rows("pages", subset, "corpus")]
    assert len(set(images)) == len(images) == 400


def test_an_answer_stands_on_its_page_and_not_on_the_sibling(drawn):
    _, pages, _ = drawn
    for first, second in zip(pages[::2], pages[1::2], strict=True):
        for page, sibling in ((first, second), (second, first)):
            for fact in ONE_OF_A_KIND[page.document_format]:
                answer = page.facts[fact]
                if answer.isdecimal():
                    assert int(answer) in numbers(page.text) - numbers(sibling.text)
                else:
                    assert answer in page.text
                    assert answer not in sibling.text


def test_place_year_and_version_stand_on_both_siblings(drawn):
    _, pages, _ = drawn
    for first, second in zip(pages[::2], pages[1::2], strict=True):
        assert first.subject == second.subject
        for page, sibling in ((first, second), (second, first)):
            for fact in {"city", "year", "version"} & page.facts.keys():
                assert page.facts[fact] != sibling.facts[fact]
                assert page.facts[fact] in sibling.text


def test_a_topic_is_shown_for_a_place_on_one_page_only(drawn):
    _, pages, _ = drawn
    shown = [(page.subject, page.facts["city"]) for page in pages if "city" in page.facts]
    assert len(set(shown)) == len(shown) == 16


def test_a_query_for_a_value_has_one_answer_and_a_description_two(drawn):
    _, pages, asked = drawn
    about = {page.id: page.subject for page in pages}
    for query in asked:
        grades = Counter(query.qrels.values())
        assert len({about[page] for page in query.qrels}) == 1
        assert grades[2] == (2 if query.kind == "description" or query.cluster else 1)
        if query.kind in {"question", "fact", "keyword"}:
            assert grades == {2: 1, 0: 1}


@pytest.mark.parametrize("subset", [s for s in subsets() if content(s).digits != WESTERN])
def test_figures_are_written_in_the_digits_of_the_language(subset):
    digits = content(subset).digits
    for row in rows("pages", subset, "corpus"):
        lines = [line for line in row["text"].splitlines() if not line.startswith("pip install")]
        assert not re.search("[0-9]", "".join(lines))
        assert re.search(f"[{digits}]", row["text"])


@pytest.mark.parametrize("text", ["🧿", "ok 🦖"])
def test_a_canvas_refuses_letters_that_no_font_has(text):
    canvas = Canvas(100, 100, "eng", rtl=False, paper="#ffffff")
    canvas.write((0, 0, 100, 50), "fine")
    canvas.write((0, 50, 100, 100), text)
    with pytest.raises(DataError, match=f"JV462.*letters of '{text}'"):
        canvas.image(72)


@pytest.mark.parametrize("text", ["one line and many more lines " * 3, "unbreakable" * 5])
def test_a_canvas_refuses_text_that_does_not_fit(text):
    canvas = Canvas(200, 50, "eng", rtl=False, paper="#ffffff")
    with pytest.raises(DataError, match=r"JV461.*does not fit into \(10, 10, 90, 30\)"):
        canvas.write((10, 10, 90, 30), text, Style(10))


def ink(rtl, text, style):
    """Return the left, top, right and bottom end of what is drawn of `text` in the left half of a page."""
    canvas = Canvas(400, 100, "ara" if rtl else "eng", rtl=rtl, paper="#ffffff")
    canvas.write((20, 10, 180, 90), text, style)
    ys, xs = np.nonzero(np.array(Image.open(io.BytesIO(canvas.image(72))).convert("L")) < 128)
    return xs.min(), ys.min(), xs.max(), ys.max()


def test_pages_of_right_to_left_languages_are_mirrored():
    assert 20 <= ink(False, "Wind", Style())[0] <= 25
    assert 375 <= ink(True, "رياح", Style())[2] <= 380
    assert 155 <= ink(False, "Wind", Style(align="end"))[2] <= 180
    assert 220 <= ink(True, "رياح", Style(align="end"))[0] <= 245
    assert 220 <= ink(True, "pip", Style(mono=True))[0] <= 225, "code is written from the left"


def test_text_in_the_middle_is_as_far_from_the_top_as_from_the_bottom():
    _, top, _, bottom = ink(False, "HHH", Style(middle=True))
    assert abs((top + bottom) / 2 - 50) <= 3
    assert ink(False, "HHH", Style())[1] < 20


@pytest.mark.parametrize("subset", subsets())
def test_grades_of_pairs_follow_from_how_they_differ(subset):
    pairs = rows("sts", subset)
    figures_aside = [(re.sub(r"\d+", "#", row["text1"]), re.sub(r"\d+", "#", row["text2"])) for row in pairs]
    for row, (first, second) in zip(pairs, figures_aside, strict=True):
        assert (row["score"] == 5) == (row["text1"] == row["text2"])
        if first == second:
            assert row["score"] in (5, 3)
        assert row["sentence1"]["bytes"] != row["sentence2"]["bytes"], "pixels tell nothing"
    assert min(Counter(row["score"] for row in pairs).values()) >= 9
    assert {row["score"] for row in pairs} == {0, 1, 2, 3, 4, 5}
    assert len({(row["text1"], row["text2"]) for row in pairs}) == len(pairs)


def test_pairs_of_every_language_are_made_alike():
    made = {subset: [score for _, _, score in graded(content(subset), Random(1))] for subset in subsets()}
    assert len(set(map(tuple, made.values()))) == 1


@pytest.mark.parametrize("subset", subsets())
def test_bm25_finds_some_answers_and_not_all(scores, subset):
    pages, pairs = scores["DemoPages"][subset], scores["DemoSTS"][subset]
    assert 0.3 < pages["main_score"] < 0.9
    assert pages["n_tied_queries_at_5"] < 8
    assert 0.2 < pairs["main_score"] < 0.7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demmo"], "error[JV118] there is no recipe 'demmo'; did you mean 'demo'?"),
        (["mine.yaml"], "error[JV118] there is no recipe mine.yaml"),
        (
            ["demo", "--language", "swe"],
            "error[JV106] the recipe has none of these languages; it has: ar, bn",
        ),
    ],
)
def test_what_there_is_not_is_an_error_that_says_so(arguments, says, tmp_path, capsys):
    assert main(["synth", "build", *arguments, "--out", str(tmp_path / "new")]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_recipe_of_ones_own_is_a_file(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        "{schema: 1, recipe: mine, title: Mine, license: cc0-1.0, seed: 3, dpi: 36, subsets: [it]}"
    )
    assert main(["synth", "build", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "new/pages"), str(tmp_path / "new/sts")]
    [first, *_] = rows("pages", "it", "corpus", root=tmp_path / "new")
    assert Image.open(io.BytesIO(first["image"]["bytes"])).size == (300, 200)


@pytest.mark.parametrize(("subset", "hint"), [("swe", "known: ar, bn"), ("../de", "known: ar, bn")])
def test_a_recipe_names_only_languages_that_there_are(subset, hint, tmp_path, capsys):
    said = f"schema: 1\nrecipe: r\ntitle: R\nlicense: x\nseed: 1\ndpi: 36\nsubsets: [de, {subset}]\n"
    (tmp_path / "r.yaml").write_text(said)
    assert main(["synth", "build", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "new")]) == 3
    err = capsys.readouterr().err
    assert f"r.yaml:7:15: error[JV313] subsets.1: there are no words for '{subset}'" in err
    assert hint in err


def test_a_word_too_many_in_a_list_of_a_language_is_refused():
    words = content("hu").model_dump()
    with pytest.raises(ValueError, match="at most 6 items"):
        Content.model_validate(words | {"features": [*words["features"], "ha valami változik"]})
