"""Languages by tag, code and name."""

import subprocess

import pytest

from jina_vdr.errors import UsageError
from jina_vdr.languages import LANGUAGES, find_language, is_tag, language_of, matches

JINA_VDR = [
    "ar",
    "bn",
    "de",
    "en",
    "es",
    "fr",
    "hi",
    "hu",
    "id",
    "it",
    "ja",
    "ko",
    "my",
    "nl",
    "pt",
    "ru",
    "th",
    "ur",
    "vi",
    "zh",
]


@pytest.mark.parametrize("name", ["de", "deu", "deu-Latn", "DEU-LATN", "German", "german", "DE"])
def test_a_language_is_found_by_code_tag_and_name(name):
    assert find_language(name).tag == "deu-Latn"


@pytest.mark.parametrize("name", ["zh", "zho", "zho-Hans", "zh-Hans", "Chinese", "cmn"])
def test_chinese_without_a_script_is_simplified(name):
    assert find_language(name).tag == "zho-Hans"


@pytest.mark.parametrize("name", ["zho-Hant", "zh-Hant", "Traditional Chinese"])
def test_traditional_chinese_has_its_own_pack(name):
    assert (find_language(name).tag, find_language(name).pack) == ("zho-Hant", "chi_tra")


def test_jp_is_japanese_as_in_the_configs_of_jina_vdr():
    assert find_language("jp") == find_language("ja")


def test_the_twenty_languages_of_jina_vdr_come_first():
    assert [language.iso2 for language in LANGUAGES[:20]] == JINA_VDR


def test_no_two_languages_share_a_tag_a_name_or_a_pack():
    for field in ("tag", "name", "pack"):
        values = [getattr(language, field) for language in LANGUAGES]
        assert len(set(values)) == len(values), field


def test_every_tag_has_the_shape_of_a_tag():
    assert all(is_tag(language.tag) for language in LANGUAGES)


def test_arabic_hebrew_persian_and_urdu_run_from_right_to_left():
    assert {language.iso2 for language in LANGUAGES if language.rtl} == {"ar", "fa", "he", "ur"}


def test_an_unknown_language_is_a_usage_error_with_a_hint():
    with pytest.raises(UsageError, match=r"JV103.*there is no language 'Germann'; did you mean 'german'\?"):
        find_language("Germann")


@pytest.mark.parametrize("text", ["de", "deu", "deu-latn", "deu-Latn-DE", "DEU-Latn", "deu-Latn\n", ""])
def test_other_shapes_are_no_tags(text):
    assert not is_tag(text)


def test_a_tag_outside_the_table_is_a_tag():
    assert is_tag("xho-Latn")
    assert language_of("xho-Latn") is None
    assert matches(find_language("xho-Latn"), "xho-Latn")
    assert not matches(find_language("xho-Latn"), "zul-Latn")


def test_a_tag_in_another_script_falls_back_to_the_language():
    assert language_of("srp-Latn") == find_language("sr")
    assert language_of("arb-Arab") == find_language("ar")
    assert language_of("und-Zyyy") is None


def test_a_filter_matches_members_of_the_language_and_keeps_scripts_apart():
    assert matches(find_language("ar"), "arb-Arab")
    assert matches(find_language("zh"), "zho-Hans")
    assert not matches(find_language("zh"), "zho-Hant")
    assert not matches(find_language("de"), "eng-Latn")
    assert not matches(find_language("de"), "und-Zyyy")


def test_packs_of_jina_vdr_are_packs_that_tesseract_has():
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=True).stdout
    assert {language.pack for language in LANGUAGES[:20]} <= set(listed.split())
