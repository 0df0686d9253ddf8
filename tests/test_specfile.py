"""Strict YAML: what is refused, at which line and column, and how files include each other."""

import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_vdr.specfile import MAX_BYTES, InvalidSpec, load
from tests.replicas import marked


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def write(folder, text, name="a.yaml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def data(folder, **files):
    """Write `files`, the first of which includes the others, and return what the first one holds."""
    paths = [write(folder, text, f"{name}.yaml") for name, text in files.items()]
    return load(paths[0]).data


def problems(path):
    with pytest.raises(InvalidSpec) as caught:
        load(path)
    assert caught.value.exit_code == 3
    return caught.value.problems


def refuses(folder, code, text, *words):
    """Assert that there are problems of this code at the carets, and at no other place."""
    text, places = marked(text)
    path = write(folder, text)
    found = problems(path)
    assert [(p.position.line, p.position.column) for p in found] == places
    assert {(p.code, p.position.file) for p in found} == {(code, path)}
    for word in words:
        assert word in str(found[0])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
word = st.from_regex("[a-z]{3,6}", fullmatch=True).filter(lambda key: key not in {"true", "null", "include"})
nested = st.recursive(
    st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text().filter(lambda key: key != "include"), plain, max_size=5), st.booleans())
def test_a_mapping_of_plain_values_reads_back_as_it_was_dumped(tmp_path_factory, mapping, flow):
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    path.write_text(yaml.dump(mapping, Dumper=Dumper, default_flow_style=flow), encoding="utf-8")
    assert load(path).data == mapping


@settings(deadline=None)
@given(st.dictionaries(word, nested, min_size=1, max_size=4), st.booleans())
def test_every_key_and_every_item_is_found_at_its_place(tmp_path_factory, mapping, flow):
    path = tmp_path_factory.getbasetemp() / "places.yaml"
    path.write_text(yaml.dump(mapping, Dumper=Dumper, default_flow_style=flow), encoding="utf-8")
    spec, lines = load(path), path.read_text(encoding="utf-8").splitlines()

    def check(value, location):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            place = spec.where((*location, key))
            expected = f"{key}:" if isinstance(value, dict) else str(inner) if isinstance(inner, int) else ""
            assert lines[place.line - 1][place.column - 1 :].startswith(expected)
            if isinstance(inner, dict | list):
                check(inner, (*location, key))

    check(mapping, ())


def test_keys_are_text_whatever_they_look_like(tmp_path):
    text = "no: 1\non: 2\n1: 3\n1.5: 4\nnull: 5\n~: 6\n2024-01-01: 7\n=: 8\n'': 9\n"
    assert list(data(tmp_path, a=text)) == ["no", "on", "1", "1.5", "null", "~", "2024-01-01", "=", ""]


def test_dates_stay_text_and_other_plain_values_have_their_type(tmp_path):
    text = "a: 2024-01-01\nb: 2024-01-01 10:00:00\nc: 1\nd: 1.5\ne: yes\nf: ~\ng: '1'\nh: =\n"
    values = ["2024-01-01", "2024-01-01 10:00:00", 1, 1.5, True, None, "1", "="]
    assert list(data(tmp_path, a=text).values()) == values


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("JV301", "a:\n‸\tb: 1\n"),
        ("JV301", "a: 1\n  b‸: 2\n"),
        ("JV301", "a: 1\n‸---\nb: 2\n"),
        ("JV301", "‸- a\n- b\n"),
        ("JV301", "‸text"),
        ("JV301", "‸"),
        ("JV301", "‸# nothing but a comment\n"),
        ("JV301", 'a: 1\nb: "x‸\x07"\n'),
        ("JV301", "a: [1, 2]\n‸\0"),
        ("JV301", "a: ‸!!bool maybe\nb: ‸!!int ''\nc: ‸!!float ''\nd: ‸!!int x\ne: ‸0b_\n"),
        ("JV302", "a: 1\n‸a: 2\nb:\n  c: 1\n  ‸'c': 2\n‸a: 3\n"),
        ("JV302", "yes: 1\n‸'yes': 2\n1: 1\n‸\"1\": 2\n"),
        ("JV302", "é: {ü: 1, ‸ü: 2}\n"),
        ("JV303", 'a: ‸!!python/object/apply:os.system ["touch hacked"]\n'),
        ("JV303", "a: ‸!function x\nb: [‸!!binary aGk=, ‸!!set {x}]\nc: ‸!include x.yaml\n"),
        ("JV303", "‸!function a: 1\nb: {‸!!python/name:os.system c: 1}\n"),
        ("JV303", "%TAG ! tag:yaml.org,2002:python/\n---\na: ‸!name:os.system x\n"),
        ("JV304", "a: ‸&x 1\nb: ‸*x\n"),
        ("JV304", "a: ‸&x [‸*x]\n"),
        ("JV304", "a:\n  ‸<<: {b: 1}\n"),
        ("JV304", "? ‸[a, b]\n: 1\n"),
        ("JV307", "a: 1\n‸include: 5\n"),
        ("JV307", "‸include:\n"),
        ("JV307", "‸include: [a, {b: c}]\n"),
    ],
)
def test_what_is_not_strict_yaml_is_refused_at_its_place(tmp_path, monkeypatch, code, text):
    monkeypatch.chdir(tmp_path)
    refuses(tmp_path, code, text)
    assert not (tmp_path / "hacked").exists()


def test_a_repeated_key_names_the_line_that_would_be_lost(tmp_path):
    refuses(tmp_path, "JV302", "a: 1\nb: 2\n‸a: 3\n", "key 'a'", "line 1", "a.yaml:3:1: error[JV302]")


def test_windows_files_are_read_and_their_lines_counted(tmp_path):
    refuses(tmp_path, "JV302", "a: 1\r\nb: 2\r\n‸a: 3\r\n")
    assert load(write(tmp_path, b"\xef\xbb\xbfa: |\r\n  x\r\n  y\r\n")).data == {"a": "x\ny\n"}


def test_a_byte_order_mark_moves_no_column(tmp_path):
    found = problems(write(tmp_path, b"\xef\xbb\xbf{a: 1, a: 2}"))
    assert str(found[0].position) == f"{tmp_path}/a.yaml:1:8"


@pytest.mark.parametrize("content", [b"a: \xe4", b"\xff\xfea\0:\0 \x001\0"], ids=["latin-1", "utf-16"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path, content):
    (problem,) = problems(write(tmp_path, content))
    assert (problem.code, problem.hint) == ("JV301", "save it as UTF-8")


def test_a_folder_is_no_file(tmp_path):
    assert problems(tmp_path)[0].code == "JV301"


def test_a_megabyte_is_read_and_one_byte_more_is_refused(tmp_path):
    text = "a: 1 #".ljust(MAX_BYTES, "x")
    assert data(tmp_path, a=text) == {"a": 1}
    assert "1,000,001 bytes" in problems(write(tmp_path, text + "x"))[0].message


def test_values_nested_a_hundred_deep_are_read_and_deeper_ones_refused(tmp_path):
    assert data(tmp_path, a=f"a: {'[' * 99}{']' * 99}")
    refuses(tmp_path, "JV301", f"a: {'[' * 99}‸[{']' * 100}", "nested")
    refuses(tmp_path, "JV301", f"{'{a: ' * 100}‸{{a: 1{'}' * 101}", "nested")


def test_nesting_that_would_exhaust_the_stack_is_refused_like_any_other(tmp_path):
    path = write(tmp_path, f"a: {'[' * 20_000}{']' * 20_000}")
    code = "import sys, pathlib, jina_vdr.specfile as s\ntry: s.load(pathlib.Path(sys.argv[1]))\n"
    code += "except s.InvalidSpec as error: print(error.code)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == "JV301\n"


def test_nine_lines_do_not_become_a_billion_values(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 18)]
    assert {p.code for p in problems(write(tmp_path, "\n".join(lines)))} == {"JV304"}


def test_all_problems_stand_one_a_line_in_the_order_of_the_file(tmp_path):
    path = write(tmp_path, "a: !x 1\na: 2\nb: {c: 1, c: !y 2}\n")
    with pytest.raises(InvalidSpec) as caught:
        load(path)
    lines = str(caught.value).split("\n")
    codes = ["1:4: error[JV303]", "2:1: error[JV302]", "3:11: error[JV302]"]
    assert [line.removeprefix(f"{path}:").partition("] ")[0] + "]" for line in lines] == codes


def test_json_is_yaml(tmp_path):
    value = {"a": [1, 2.5, None, True, "x\ty"], "b": {"c": "é"}}
    assert data(tmp_path, a=json.dumps(value)) == value


def test_mappings_merge_deep_and_lists_are_replaced(tmp_path):
    base = "x: {kept: 1, changed: 2, list: [1, 2, 3], part: {a: 1}}\nlist: [{a: 1, b: 2}]\ntext: base\n"
    top = "include: base.yaml\nx: {changed: 3, list: [4], part: null, new: {c: 1}}\nlist: [{a: 9}]\n"
    assert data(tmp_path, top=top, base=base) == {
        "x": {"kept": 1, "changed": 3, "list": [4], "part": None, "new": {"c": 1}},
        "list": [{"a": 9}],
        "text": "base",
    }


def test_of_several_includes_the_later_one_wins_and_the_file_itself_over_all(tmp_path):
    files = {"a": "v: a\nb: a\n", "b": "v: b\nw: b\nb: b\n", "c": "w: c\n"}
    read = data(tmp_path, top="include: [a.yaml, b.yaml, c.yaml]\nb: top\n", **files)
    assert read == {"v": "b", "b": "top", "w": "c"}


def test_includes_nest_meet_again_and_are_found_beside_the_file_that_names_them(tmp_path):
    write(tmp_path, "include: ../base.yaml\nx: 1\n", "sub/left.yaml")
    write(tmp_path, "include: [deep/y.yaml, ../base.yaml]\n", "sub/right.yaml")
    write(tmp_path, "y: 2\n", "sub/deep/y.yaml")
    top = "include: [sub/left.yaml, sub/right.yaml]\n"
    assert data(tmp_path, top=top, base="z: 3\nx: 0\n") == {"z": 3, "x": 0, "y": 2}


def test_a_value_stands_where_it_was_written(tmp_path):
    base = write(tmp_path, "# base\na: {b: 1,\n    c: [1, 2, {d: 3}]}\n", "base.yaml")
    spec = load(write(tmp_path, "include: base.yaml\na:\n  e: 1\n"))
    places = [spec.where(at) for at in [("a",), ("a", "e"), ("a", "missing", 0), ("missing",)]]
    assert [str(place) for place in places] == [
        f"{tmp_path}/a.yaml:{at}" for at in ["2:1", "3:3", "2:1", "1:1"]
    ]
    assert str(spec.where(("a", "c", 2, "d"))) == f"{base}:3:16"


def test_a_list_that_is_replaced_leaves_no_places_behind(tmp_path):
    write(tmp_path, "a: [{b: 1}, 2]\n", "base.yaml")
    spec = load(write(tmp_path, "include: base.yaml\na: [{c: 1}]\n"))
    assert ("a", 1) not in spec.positions
    assert ("a", 0, "b") not in spec.positions


def test_a_circle_of_includes_is_refused_with_its_way(tmp_path):
    write(tmp_path, "x: 1\ninclude: c.yaml\n", "b.yaml")
    write(tmp_path, "include: [a.yaml]\n", "c.yaml")
    (problem,) = problems(write(tmp_path, "include: b.yaml\n"))
    assert (problem.code, str(problem.position)) == ("JV305", f"{tmp_path}/c.yaml:1:11")
    assert "a.yaml -> b.yaml -> c.yaml -> a.yaml" in problem.message
    refuses(tmp_path, "JV305", "‸include: a.yaml\n", "a.yaml -> a.yaml")


def test_an_include_that_leads_out_or_nowhere_is_refused_at_its_name(tmp_path):
    out = write(tmp_path, "x: 1\n", "out.yaml")
    inside = tmp_path / "in"
    write(inside, "include: ../../out.yaml\n", "sub/up.yaml")
    (inside / "link.yaml").symlink_to(out)
    (inside / "loop.yaml").symlink_to("loop.yaml")
    leading_out = ["../out.yaml", "sub/../../out.yaml", str(out), "link.yaml", '"..\\\\out.yaml"', "../none"]
    nowhere = ["none.yaml", "loop.yaml", "sub", '""', '"nul\\0"', "long" * 99]
    text = "include:\n" + "".join(f"  - ‸{name}\n" for name in [*leading_out, *nowhere])
    refuses(inside, "JV306", text, "leads out", "../out.yaml")
    found = problems(inside / "a.yaml")
    assert ["leads out" in p.message for p in found] == [True] * 6 + [False] * 6
    (problem,) = problems(write(inside, "include: sub/up.yaml\n"))
    assert str(problem.position) == f"{inside}/sub/up.yaml:1:1"


def test_problems_of_all_includes_are_told_at_once_and_each_once(tmp_path):
    for i in range(12):
        write(tmp_path, f"include: [{i + 1}.yaml, {i + 1}.yaml]\n", f"{i}.yaml")
    write(tmp_path, "a: 1\na: 2\na: 3\n", "12.yaml")
    write(tmp_path, "b: !x 1\n", "other.yaml")
    found = problems(write(tmp_path, "include: [0.yaml, other.yaml, none.yaml]\n"))
    assert [(p.position.file.name, p.code) for p in found] == [
        ("12.yaml", "JV302"),
        ("12.yaml", "JV302"),
        ("a.yaml", "JV306"),
        ("other.yaml", "JV303"),
    ]


def test_a_key_with_a_line_end_is_still_one_line(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text('"a\\nb": 1\n"a\\nb": 2\n')
    with pytest.raises(InvalidSpec) as caught:
        load(path)
    assert r"key 'a\nb'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
