"""Human languages: tag, names, writing direction, and the pack Tesseract reads them with."""

import re
from dataclasses import dataclass
from functools import cache

from jina_vdr.errors import UsageError, near


@dataclass(frozen=True, slots=True)
class Language:
    """A language in one script.

    tag: ISO 639-3 and ISO 15924 (`deu-Latn`). iso2: ISO 639-1 (`de`). pack: Tesseract's name for its data.
    rtl: written from right to left.
    """

    tag: str
    name: str
    iso2: str
    pack: str
    rtl: bool = False


LANGUAGES = (
    Language("ara-Arab", "Arabic", "ar", "ara", rtl=True),
    Language("ben-Beng", "Bengali", "bn", "ben"),
    Language("deu-Latn", "German", "de", "deu"),
    Language("eng-Latn", "English", "en", "eng"),
    Language("spa-Latn", "Spanish", "es", "spa"),
    Language("fra-Latn", "French", "fr", "fra"),
    Language("hin-Deva", "Hindi", "hi", "hin"),
    Language("hun-Latn", "Hungarian", "hu", "hun"),
    Language("ind-Latn", "Indonesian", "id", "ind"),
    Language("ita-Latn", "Italian", "it", "ita"),
    Language("jpn-Jpan", "Japanese", "ja", "jpn"),
    Language("kor-Hang", "Korean", "ko", "kor"),
    Language("mya-Mymr", "Burmese", "my", "mya"),
    Language("nld-Latn", "Dutch", "nl", "nld"),
    Language("por-Latn", "Portuguese", "pt", "por"),
    Language("rus-Cyrl", "Russian", "ru", "rus"),
    Language("tha-Thai", "Thai", "th", "tha"),
    Language("urd-Arab", "Urdu", "ur", "urd", rtl=True),
    Language("vie-Latn", "Vietnamese", "vi", "vie"),
    Language("zho-Hans", "Chinese", "zh", "chi_sim"),
    Language("zho-Hant", "Traditional Chinese", "zh", "chi_tra"),
    Language("bul-Cyrl", "Bulgarian", "bg", "bul"),
    Language("cat-Latn", "Catalan", "ca", "cat"),
    Language("ces-Latn", "Czech", "cs", "ces"),
    Language("dan-Latn", "Danish", "da", "dan"),
    Language("ell-Grek", "Greek", "el", "ell"),
    Language("est-Latn", "Estonian", "et", "est"),
    Language("fas-Arab", "Persian", "fa", "fas", rtl=True),
    Language("fin-Latn", "Finnish", "fi", "fin"),
    Language("guj-Gujr", "Gujarati", "gu", "guj"),
    Language("heb-Hebr", "Hebrew", "he", "heb", rtl=True),
    Language("hrv-Latn", "Croatian", "hr", "hrv"),
    Language("kan-Knda", "Kannada", "kn", "kan"),
    Language("khm-Khmr", "Khmer", "km", "khm"),
    Language("lao-Laoo", "Lao", "lo", "lao"),
    Language("lav-Latn", "Latvian", "lv", "lav"),
    Language("lit-Latn", "Lithuanian", "lt", "lit"),
    Language("mal-Mlym", "Malayalam", "ml", "mal"),
    Language("mar-Deva", "Marathi", "mr", "mar"),
    Language("msa-Latn", "Malay", "ms", "msa"),
    Language("nep-Deva", "Nepali", "ne", "nep"),
    Language("nob-Latn", "Norwegian", "nb", "nor"),
    Language("pan-Guru", "Punjabi", "pa", "pan"),
    Language("pol-Latn", "Polish", "pl", "pol"),
    Language("ron-Latn", "Romanian", "ro", "ron"),
    Language("sin-Sinh", "Sinhala", "si", "sin"),
    Language("slk-Latn", "Slovak", "sk", "slk"),
    Language("slv-Latn", "Slovenian", "sl", "slv"),
    Language("srp-Cyrl", "Serbian", "sr", "srp"),
    Language("swa-Latn", "Swahili", "sw", "swa"),
    Language("swe-Latn", "Swedish", "sv", "swe"),
    Language("tam-Taml", "Tamil", "ta", "tam"),
    Language("tel-Telu", "Telugu", "te", "tel"),
    Language("tur-Latn", "Turkish", "tr", "tur"),
    Language("ukr-Cyrl", "Ukrainian", "uk", "ukr"),
    Language("yor-Latn", "Yoruba", "yo", "yor"),
)
"""The languages known by name: the twenty of JinaVDR first, then other common ones."""

_ALIASES = {
    "jp": "jpn-Jpan",
    "zh-hans": "zho-Hans",
    "zh-hant": "zho-Hant",
    "cmn-hant": "zho-Hant",
    "no": "nob-Latn",
    "nor": "nob-Latn",
    "arb": "ara-Arab",
    "cmn": "zho-Hans",
    "ekk": "est-Latn",
    "lvs": "lav-Latn",
    "pes": "fas-Arab",
    "swh": "swa-Latn",
    "zsm": "msa-Latn",
}
"""Other names in use: codes of countries, and ISO 639-3 codes of the main member of a macrolanguage."""

_TAG = re.compile("[a-z]{3}-[A-Z][a-z]{3}")


def find_language(text: str) -> Language:
    """Return the language that `text` names: `de`, `deu`, `deu-Latn` or `German`, in any case.

    `zh`, `zho` and `Chinese` are in simplified script; `jp` is Japanese, as in the configs of JinaVDR. A tag
    in full may be of any language. Raises UsageError for another name that is not in the table.
    """
    known = _by_name()
    if is_tag(text) and text.casefold() not in known:
        return language_of(text) or Language(text, text, "", "")
    try:
        return known[text.casefold()]
    except KeyError:
        hint = near(text.casefold(), known) or "write it like de, deu, deu-Latn or German"
        raise UsageError("JV103", f"there is no language '{text}'", hint) from None


def is_tag(text: str) -> bool:
    """Say whether `text` has the shape of a tag, `deu-Latn`; the language need not be in the table."""
    return _TAG.fullmatch(text) is not None


def matches(wanted: Language, tag: str) -> bool:
    """Say whether `tag` means the wanted language: `arb-Arab` is Arabic, `zho-Hant` is not `zho-Hans`."""
    return tag == wanted.tag or language_of(tag) == wanted


def language_of(tag: str) -> Language | None:
    """Return the language of a tag, else the first one with the same ISO 639-3 part, else None."""
    known = _by_name()
    return known.get(tag.casefold()) or known.get(tag[:3].casefold())


@cache
def _by_name() -> dict[str, Language]:
    known: dict[str, Language] = {}
    for language in LANGUAGES:
        for name in (language.tag, language.tag[:3], language.iso2, language.name):
            known.setdefault(name.casefold(), language)
    return known | {alias: known[tag.casefold()] for alias, tag in _ALIASES.items()}
