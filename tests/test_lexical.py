"""Words in twenty languages, and BM25 over them."""

import math
import shutil
import subprocess
import sys
import unicodedata
from importlib.resources import files

import numpy as np
import pytest
import stopwordsiso
from PIL import Image, ImageDraw

from jina_vdr.languages import LANGUAGES, language_of
from jina_vdr.lexical import bm25, stopwords, tesseract, tokens
from jina_vdr.ocr import tesseract_version
from jina_vdr.records import Collection, Page, Pairs, Query
from jina_vdr.store import Store

SPACELESS = {"jpn", "mya", "tha", "zho"}

EXAMPLES = {
    "ara": ("كم عدد السكّان في ٢٠٢٣؟", "كم عدد السكّان في 2023"),
    "ben": ("বাংলাদেশের জনসংখ্যা কত?", "বাংলাদেশের জনসংখ্যা কত"),
    "deu": ("Wie groß ist die Straße?", "wie gross ist die strasse"),
    "eng": ("What's the U.S. price?", "what s the u s price"),
    "spa": ("¿Cuántos años tenía?", "cuántos años tenía"),
    "fra": ("L’été à l'Œuvre", "l été à l œuvre"),
    "hin": ("भारत की जनसंख्या क्या है?", "भारत की जनसंख्या क्या है"),
    "hun": ("Hol van a Művelődési Ház?", "hol van a művelődési ház"),
    "ind": ("Berapa anak-anak di sana?", "berapa anak anak di sana"),
    "ita": ("Perché c'è l'università?", "perché c è l università"),
    "jpn": ("東京タワーの高さは333mです", "東京 京タ タワ ワー ーの の高 高さ さは 333m です"),
    "kor": ("한국의 인구는 얼마입니까?", "한국의 인구는 얼마입니까"),
    "mya": ("မြန်မာစာ ၂၀၂၃", "မြန် န်မာ မာစာ 2023"),
    "nld": ("Hoe hoog is één gebouw?", "hoe hoog is één gebouw"),
    "por": ("Qual é a população?", "qual é a população"),
    "rus": ("Сколько лет Ёлке?", "сколько лет ёлке"),
    "tha": ("ภาษาไทย 5 คำ", "ภา าษ ษา าไ ไท ทย 5 คํา"),
    "urd": ("پاکستان کی آبادی ۲۰۲۳", "پاکستان کی آبادی 2023"),
    "vie": ("Dân số Việt Nam là bao nhiêu?", "dân số việt nam là bao nhiêu"),
    "zho": ("中国的GDP是多少？", "中国 国的 gdp 是多 多少"),
}


def test_there_is_an_example_for_each_of_the_twenty_languages():
    assert set(EXAMPLES) == {language.tag[:3] for language in LANGUAGES[:20]}


@pytest.mark.parametrize(("text", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_words_in_twenty_languages(text, expected):
    assert tokens(text) == [unicodedata.normalize("NFKC", word) for word in expected.split()]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("text", [text for text, _ in EXAMPLES.values()], ids=EXAMPLES)
def test_words_do_not_depend_on_the_normal_form(text, form):
    assert tokens(unicodedata.normalize(form, text)) == tokens(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.5 1.234,5 1234.5 1٬234٫5", ["1234.5"] * 4),
        ("3.14 3,14 ٣٫١٤ ３．１４", ["3.14"] * 4),
        ("1,234 1.234 1,234,567 12,34,567", ["1234", "1234", "1234567", "1234567"]),
        ("0.125", ["0.125"]),
        ("12.05.2023", ["12", "05", "2023"]),
        ("1,5,7", ["1", "5", "7"]),
        ("costs 5.50.", ["costs", "5.50"]),
        ("3.5km 50kg v2.0 m²", ["3.5", "km", "50kg", "v2", "0", "m2"]),
        ("๒๐๒๓ ২০২৩ २०२३ ၂၀၂၃ ۲۰۲۳", ["2023"] * 5),
    ],
)
def test_a_number_is_the_same_word_however_it_is_written(text, expected):
    assert tokens(text) == expected


def test_invisible_characters_do_not_split_words():
    assert tokens("Daten\u00adbank") == ["datenbank"]
    assert tokens("می\u200cروم") == tokens("میروم")
    assert tokens("كتــاب") == ["كتاب"]
    assert tokens("\u200fשלום\u200e") == ["שלום"]


def test_a_zero_width_space_parts_words_in_khmer_and_burmese():
    assert tokens("ភាសា\u200bខ្មែរ") == [*tokens("ភាសា"), *tokens("ខ្មែរ")]


def test_case_does_not_matter_also_in_turkish_and_greek():
    assert tokens("İSTANBUL ISPARTA") == tokens("istanbul ısparta")
    assert tokens("ΟΔΟΣ") == tokens("οδος")


def test_a_stacked_consonant_belongs_to_the_unit_above_it():
    assert tokens("ខ្មែរ") == ["ខ្មែរ"]


def test_punctuation_of_scripts_without_spaces_parts_runs():
    assert tokens("中。国") == ["中", "国"]
    assert tokens("ア・イ") == ["ア", "イ"]
    assert tokens("က။ခ") == ["က", "ခ"]


def test_marks_without_a_letter_and_signs_are_no_words():
    assert tokens("\u0301 ❤️ — _ ฿ …") == []


def test_stop_words_go():
    assert tokens("the price of gold", frozenset({"the", "of"})) == ["price", "gold"]


def test_there_are_stop_words_for_languages_with_spaces_only():
    ours = {path.name.removesuffix(".txt") for path in (files("jina_vdr") / "stopwords").iterdir()}
    assert ours == set(EXAMPLES) - SPACELESS
    assert all(30 <= len(stopwords(language_of(name).tag)) <= 80 for name in ours)
    assert all(
        stopwords(tag) == frozenset() for tag in ("jpn-Jpan", "zho-Hans", "und", "yor-Latn", "../secret")
    )


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - SPACELESS))
def test_most_of_our_stop_words_are_stop_words_for_others(name):
    theirs = {word for phrase in stopwordsiso.stopwords(language_of(name).iso2) for word in tokens(phrase)}
    if name == "urd":
        # Their list is written for an old font: every letter stands where that font has another one.
        font = str.maketrans("بثضطهًٌٍخذ", "ابسسمننہجد")
        theirs = {word.translate(font) for word in stopwordsiso.stopwords("ur")}
        theirs |= {word.translate(str.maketrans("تن", "بم")) for word in theirs}
    ours = stopwords(language_of(name).tag)
    assert len(ours & theirs) / len(ours) >= 0.8


def test_reading_words_does_not_load_bm25s():
    code = "import sys, jina_vdr.lexical as l; l.tokens('a'); sys.exit('bm25s' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TEXTS = {
    "p1": "The river Elbe flows through Dresden and Hamburg.",
    "p2": "Hamburg is a port. The port of Hamburg is large.",
    "p3": "Dresden has a castle.",
    "p4": "",
    "p5": "The the the of and",
}


def page(name, text, image=None):
    return Page(name, content=f"{name}:{text}", open_image=image, read_text=lambda: text)


def collection(texts, queries, language="eng-Latn"):
    corpus = [page(name, text) for name, text in texts.items()]
    asked = [Query(f"q{i}", text, language) for i, text in enumerate(queries)]
    return Collection("t", "default", ("eng-Latn",), corpus, asked, {})


def lucene(texts, query, k1=1.5, b=0.75):
    """Score all texts by the formula of Kamphuis et al. 2020, table 1, "Lucene (accurate)"."""
    words = {name: tokens(text) for name, text in texts.items()}
    average = sum(map(len, words.values())) / len(words)
    scores = dict.fromkeys(texts, 0.0)
    for term in query:
        df = sum(term in text for text in words.values())
        idf = math.log(1 + (len(words) - df + 0.5) / (df + 0.5))
        for name, text in words.items():
            tf = text.count(term)
            scores[name] += idf * tf / (tf + k1 * (1 - b + b * len(text) / average))
    return {name: score for name, score in scores.items() if score > 0}


@pytest.mark.parametrize("query", ["port Hamburg", "hamburg hamburg dresden", "castle river nowhere"])
def test_scores_are_those_of_lucenes_formula(query, tmp_path):
    ranking = bm25(Store(tmp_path)).rank(collection(TEXTS, [query]), 10)["q0"]
    expected = lucene(TEXTS, tokens(query))
    assert set(ranking.ids) == set(expected)
    assert list(ranking.ids) == sorted(expected, key=expected.get, reverse=True)
    assert ranking.scores.tolist() == pytest.approx([expected[name] for name in ranking.ids], rel=1e-5)


def test_a_query_loses_the_stop_words_of_its_own_language_only(tmp_path):
    for language, query, counted in [
        ("eng-Latn", "the castle of Dresden", ["castle", "dresden"]),
        ("deu-Latn", "the castle of Dresden", ["the", "castle", "of", "dresden"]),
        ("und", "the castle of Dresden", ["the", "castle", "of", "dresden"]),
        ("eng-Latn", "the of and", ["the", "of", "and"]),
    ]:
        ranking = bm25(Store(tmp_path)).rank(collection(TEXTS, [query], language), 10)["q0"]
        assert dict(zip(ranking.ids, ranking.scores.tolist(), strict=True)) == pytest.approx(
            lucene(TEXTS, counted)
        )


def test_a_query_without_a_match_has_an_empty_ranking(tmp_path):
    run = bm25(Store(tmp_path)).rank(collection(TEXTS, ["zebra", "?!"]), 10)
    assert [run[query].ids for query in ("q0", "q1")] == [(), ()]


def test_a_corpus_without_words_ranks_nothing(tmp_path):
    run = bm25(Store(tmp_path)).rank(collection({"p1": "", "p2": "…"}, ["word"]), 10)
    assert run["q0"].ids == ()


def test_tied_pages_come_by_id_descending_also_at_the_cut(tmp_path):
    run = bm25(Store(tmp_path)).rank(
        collection({f"p{i}": "gold" for i in range(5)} | {"x": "tin"}, ["gold"]), 3
    )
    assert run["q0"].ids == ("p4", "p3", "p2")


def test_the_info_of_bm25_names_all_that_changes_a_score(tmp_path):
    info = bm25(Store(tmp_path)).info
    assert (info.name, info.family) == ("bm25", "bm25")
    lexical = {"k1": 1.5, "b": 0.75, "method": "lucene", "tokens": 1}
    program = tesseract_version() if shutil.which("tesseract") else None
    assert info.settings == {**lexical, "tesseract": program, "psm": 4, "oem": 1}
    assert info.revision


def tfidf_cosine(first, second, everything):
    bags = [tokens(text) for text in everything]
    words = sorted(set().union(*bags))
    df = np.array([sum(word in bag for bag in bags) for word in words])
    idf = np.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
    a, b = (np.array([tokens(text).count(word) for word in words]) * idf for text in (first, second))
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_pairs_are_compared_by_the_cosine_of_their_tf_idf_vectors(tmp_path):
    left = ["A man plays a guitar", "Dogs run", "", "same words here"]
    right = ["A man plays the piano", "A cat sleeps", "", "same words here"]
    sides = [
        [page(f"{side}{i}", text) for i, text in enumerate(texts)]
        for side, texts in (("l", left), ("r", right))
    ]
    found = bm25(Store(tmp_path)).compare(Pairs("t", "default", ("eng-Latn",), *sides, np.zeros(4)))
    assert found.dtype == np.float64
    assert found[0] == pytest.approx(tfidf_cosine(left[0], right[0], left + right))
    assert found[1:].tolist() == pytest.approx([0, 0, 1])


def drawn(text):
    image = Image.new("RGB", (500, 90), "white")
    ImageDraw.Draw(image).text((20, 20), text, "black", font_size=40)
    return image


def test_bm25_reads_images_only_of_pages_without_text(tmp_path):
    corpus = [
        page("text", "written words", image=lambda: drawn("Painted castle")),
        page("scan", None, image=lambda: drawn("Painted castle")),
        page("blank", " \n", image=lambda: drawn("Painted bridge")),
        page("nothing", None),
    ]
    queries = [Query("q0", "castle"), Query("q1", "bridge"), Query("q2", "written")]
    data = Collection("t", "default", ("eng-Latn",), corpus, queries, {})
    run = bm25(Store(tmp_path)).rank(data, 10)
    assert [run[f"q{i}"].ids for i in range(3)] == [("scan",), ("blank",), ("text",)]
    run = tesseract(Store(tmp_path)).rank(data, 10)
    assert [run[f"q{i}"].ids for i in range(3)] == [("text", "scan"), ("blank",), ()]


def test_the_info_of_tesseract_names_its_version_and_settings(tmp_path):
    info = tesseract(Store(tmp_path)).info
    version = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True).stdout
    assert (info.name, info.family) == ("tesseract", "bm25")
    assert version.startswith(f"tesseract {info.revision}\n")
    assert {"psm", "oem", "k1", "b", "tokens", "bm25s"} <= set(info.settings)
