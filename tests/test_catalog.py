"""Tasks are found by name or path, and a selection is what all filters let through."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_vdr.catalog import (
    Filters,
    Selection,
    all_tasks,
    bundled_root,
    find_task,
    merged,
    select,
    task_files,
    whole,
)
from jina_vdr.errors import InvalidFile, UsageError
from jina_vdr.task import load_task
from jina_vdr.vocabulary import DOCUMENT_FORMATS, DOMAINS, PAIR_TYPES, QUERY_FORMATS, TYPES

AXES = {
    "domains": DOMAINS,
    "document_formats": DOCUMENT_FORMATS,
    "query_formats": QUERY_FORMATS,
    "types": TYPES,
}
POOL = {
    "Hotels": {"eval_langs": {"en": ["eng-Latn"], "de": ["deu-Latn"]}, "domains": ["Housing"]},
    "Law": {"eval_langs": ["deu-Latn", "fra-Latn"], "domains": ["Legal", "Mixed"], "query_formats": ["fact"]},
    "Maps": {
        "type": "Retrieval",
        "eval_langs": {"ar": ["arb-Arab"], "mixed": ["deu-Latn", "eng-Latn"]},
        "domains": ["Mixed"],
        "document_formats": ["maps", "tables"],
        "query_formats": ["question", "fact"],
    },
    "Pairs": {"type": "VisualSTS", "eval_langs": {"en-de": ["eng-Latn", "deu-Latn"], "fr": ["fra-Latn"]}},
    "Plain": {"eval_langs": ["und-Zyyy"], "domains": ["Legal"], "document_formats": ["tables"]},
}
LANGUAGES = {
    "German": "deu-Latn",
    "en": "eng-Latn",
    "fra": "fra-Latn",
    "ara": "arb-Arab",
    "jpn-Jpan": "jpn-Jpan",
}
"""What the user writes, and the tag in the files of the pool that it means."""


def write(folder, name, file="", **fields):
    layout = "pairs" if fields.get("type") in PAIR_TYPES else "beir"
    said = {
        "name": name,
        "dataset": {"path": "./data", "format": layout},
        "eval_langs": ["deu-Latn"],
        **fields,
    }
    path = folder / (file or f"{name.lower()}.yaml")
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    return [load_task(write(folder, name, **fields)) for name, fields in POOL.items()]


def shown(selections):
    return [(selection.task.name, selection.subsets) for selection in selections]


def refused(code, call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    return str(caught.value)


def some(*values):
    return st.lists(st.sampled_from(values), max_size=2)


def passes(wanted, has):
    return not wanted or bool({word.lower() for word in wanted} & {word.lower() for word in has})


@settings(deadline=None)
@given(
    languages=some(*LANGUAGES),
    domains=some("Legal", "housing", "MIXED"),
    document_formats=some("tables", "maps", "slides"),
    query_formats=some("question", "Fact"),
    types=some("retrieval", "VisualSTS", "VisualDocumentRetrieval"),
)
def test_filters_intersect_and_the_values_of_one_are_alternatives(pool, languages, types, **axes):
    tags = {LANGUAGES[language] for language in languages}
    expected = []
    for name, said in POOL.items():
        langs = said["eval_langs"]
        by_subset = langs if isinstance(langs, dict) else {"default": langs}
        subsets = tuple(subset for subset, its in by_subset.items() if not tags or tags & set(its))
        kind = said.get("type", "VisualDocumentRetrieval")
        if subsets and passes(types, [kind]) and all(passes(w, said.get(a, [])) for a, w in axes.items()):
            expected.append((name, subsets))
    selections, filters = [whole(task) for task in pool], Filters(languages, types=types, **axes)
    if expected:
        assert shown(select(selections, filters)) == expected
    else:
        assert "no task passes all filters" in refused("JV106", select, selections, filters)


@pytest.mark.parametrize("name", ["de", "deu", "German", "deu-Latn", "GERMAN", "DE"])
def test_a_language_has_many_names(name):
    selections = select([whole(find_task("DemoPages"))], Filters([name]))
    assert shown(selections) == [("DemoPages", ("de",))]


@pytest.mark.parametrize(
    ("filters", "code", "says"),
    [
        (Filters(languages=["Germann"]), "JV103", "no language 'Germann'; did you mean 'german'?"),
        (Filters(domains=["Finanze"]), "JV112", "no domain 'Finanze'; did you mean 'Finance'?"),
        (Filters(document_formats=["table"]), "JV112", "no document format 'table'; did you mean 'tables'?"),
        (Filters(query_formats=["zzz"]), "JV112", f"known: {', '.join(QUERY_FORMATS)}"),
        (Filters(types=["VisualSTSS"]), "JV112", "no type 'VisualSTSS'; did you mean 'VisualSTS'?"),
    ],
)
def test_an_unknown_value_of_a_filter_is_refused_with_a_hint(pool, filters, code, says):
    assert says in refused(code, select, [whole(task) for task in pool], filters)


@pytest.mark.parametrize("axis", AXES)
def test_every_word_that_a_task_file_may_use_can_be_asked_for(tmp_path, axis):
    for word in AXES[axis]:
        fields = {"type": word} if axis == "types" else {axis: [word]}
        task = load_task(write(tmp_path, "Any", **fields))
        assert shown(select([whole(task)], Filters(**{axis: [word.upper()]}))) == [("Any", ("default",))]


def test_nothing_to_select_from_is_an_empty_selection():
    refused("JV106", select, [], Filters())


def test_a_task_named_twice_stands_once_where_it_is_first_with_the_subsets_of_both(pool):
    hotels, law, maps, *_ = pool
    named = [Selection(hotels, ("de",)), whole(law), Selection(hotels, ("en",)), Selection(maps, ("ar",))]
    expected = [("Hotels", ("en", "de")), ("Law", ("default",)), ("Maps", ("ar",))]
    assert shown(merged(named)) == expected
    assert shown(select(named, Filters())) == expected


def test_two_files_with_one_name_are_refused_and_one_file_named_twice_is_not(tmp_path):
    first = load_task(write(tmp_path, "Manuals"))
    again = load_task(tmp_path / "../" / tmp_path.name / "manuals.yaml")
    assert shown(merged([whole(first), whole(again)])) == [("Manuals", ("default",))]
    other = load_task(write(tmp_path, "manuals", file="other.yaml"))
    with pytest.raises(InvalidFile, match=r"JV314.*manuals\.yaml and .*other\.yaml both define task"):
        select([whole(first), whole(other)], Filters())


@pytest.mark.parametrize("name", ["DemoPages", "demopages", "DEMOPAGES"])
def test_a_bundled_task_is_found_by_its_name_in_any_case(name):
    assert find_task(name) is all_tasks()["DemoPages"]


def test_a_task_is_found_by_the_path_of_its_file(tmp_path, monkeypatch):
    path = write(tmp_path, "DemoPages", file="mine.yml")
    assert find_task(str(path)).path == path
    monkeypatch.chdir(tmp_path)
    assert find_task("mine.yml").languages("default") == ("deu-Latn",)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DemoPage", "there is no task 'DemoPage'; did you mean 'DemoPages'?"),
        ("zzz", "there is no task 'zzz'; jina-vdr tasks list shows all"),
        ("DemoPages.yaml", "there is no task file DemoPages.yaml"),
        ("x" * 300 + ".yaml", "there is no task file"),
        ("", "there is no task ''"),
    ],
)
def test_an_unknown_task_is_refused_with_a_hint(name, says):
    assert says in refused("JV101", find_task, name)


def test_task_files_of_a_folder_come_by_name_without_bases_and_benchmarks(tmp_path):
    names = ["b.yaml", "a.yml", "_base.yaml", ".hidden.yaml", "x.benchmark.yaml", "y.benchmark.yml", "c.yxml"]
    for name in [*names, "d.json", "task.schema.json"]:
        (tmp_path / name).write_text("")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.yaml").write_text("")
    assert [path.name for path in task_files(tmp_path)] == ["a.yml", "b.yaml"]


def test_every_bundled_file_defines_a_task_whose_data_lies_beside_it():
    assert [task.path for task in all_tasks().values()] == task_files(bundled_root())
    for task in all_tasks().values():
        assert not task.dataset.is_local or (task.root / task.dataset.path).is_dir()
        assert set(task.expected) == set(task.subsets)
