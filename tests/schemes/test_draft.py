"""A few answers make a scheme that the check takes, whatever was said or left out; what nobody gave is marked."""

import itertools
import os
import pty
import select
import subprocess
import sys
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from minhu.cli import drafting, minhu
from minhu.errors import BadDeclaration, Refused
from minhu.schemes import read_scheme
from minhu.schemes.catalogue import measures
from minhu.schemes.draft import Answers, counts, draft, rates
from minhu.schemes.told import told
from minhu.settings import PROJECT_ROOT, Settings

LEAST = {
    "id": "nanhu",
    "title": "南湖区 12345 考核办法",
    "basis": {"title": "考核办法"},
    "valid_from": date(2026, 1, 1),
    "periods": {"month": "final"},
    "peer_groups": [{"code": "district_town"}],
    "rates": [{"measure": "close_on_time"}],
}


def made(**answers):
    """The text of a draft and the scheme that is read from it."""
    text = draft(Answers.model_validate(LEAST | answers))
    return text, yaml.safe_load(text)


def test_the_least_answers_make_a_scheme_of_examples(tmp_path):
    text, data = made()
    path = tmp_path / "nanhu.yml"
    path.write_text(text, encoding="utf-8")
    scheme = read_scheme(path)
    assert scheme.examples == ["district_town", "按时办结率", "取整", "公布"]
    assert data["peer_groups"] == [
        {"code": "district_town", "name_zh": "district_town", "points": 100, "example": True}
    ]
    assert "example: true  # 没有给出：points" in text
    assert scheme.points_max("district_town", scheme.valid_from) == 10
    assert told(scheme)
    checked = CliRunner().invoke(minhu, ["schemes", "check", str(path)])
    assert checked.exit_code == 0 and "nanhu" in checked.output


def test_what_was_given_is_written_as_it_was_and_is_no_example(tmp_path):
    text, data = made(
        basis={"title": "关于印发《办法》的通知", "number": "南政发〔2026〕3号"},
        periods={"month": "indicative", "quarter": "indicative", "year": "final"},
        aggregation={"quarter": "mean_of_months", "year": "mean_of_quarters"},
        peer_groups=[
            {"code": "district_town", "name_zh": "镇街", "points": 100},
            {"code": "town2", "name_zh": "=1+1", "points": "4.5"},
        ],
        rates=[
            {"measure": "close_on_time", "name_zh": "按时办结", "points": 30, "target": 98},
            {"measure": "close_on_time", "points": 20, "form": "linear_deduction", "target": 95, "per_point": "0.5"}
            | {"floor": 5, "moment": "closed_at"},
            {"measure": "return_rate", "points": 10, "better": "lower", "form": "steps", "otherwise": 1}
            | {"steps": [{"at_most": 2, "points": 10}, {"at_most": 5, "points": "6.50"}], "between": "linear"},
        ],
        changes=[
            {"name_zh": "表扬", "way": "add", "cap": 3},
            {"name_zh": "通报", "way": "deduct", "cap": "2.5"},
            {"name_zh": "不处置", "way": "deduct", "measure": "violation_not_handled", "per_item": 2, "cap": 8},
            {"name_zh": "采纳", "way": "add", "measure": "intake", "per_item": "0.5", "cap": 2},
        ],
        bands=[{"name_zh": "优", "at_least": 90}, {"name_zh": "差", "at_least": 0}],
        rounding={"order": "sum_first", "decimals": 3},
        ranking=True,
        min_n=10,
    )
    assert "example: true\n" not in text and "没有给出" not in text
    assert data["publication"] == {"ranking": True, "min_n": 10}
    assert data["peer_groups"][1] == {"code": "town2", "name_zh": "=1+1", "points": 4.5}
    assert [one["code"] for one in data["indicators"]] == [
        *("close_on_time", "close_on_time_2", "return_rate", "bonus", "deduction", "violation_not_handled", "intake")
    ]
    assert [one["scoring"] for one in data["indicators"]] == [
        {"function": "proportional", "target": 98},
        {"function": "linear_deduction", "target": 95, "per_point": 0.5, "floor": 5},
        {"function": "steps", "steps": [{"at_most": 2, "points": 10}, {"at_most": 5, "points": 6.5}]}
        | {"otherwise": 1, "between": "linear"},
        {"function": "manual", "entry": "change", "cap": 3},
        {"function": "manual", "entry": "change", "floor": -2.5, "cap": 0},
        {"function": "per_item_deduction", "per_item": 2, "cap": 8},
        {"function": "per_item_bonus", "per_item": 0.5, "cap": 2},
    ]
    assert (data["indicators"][0]["moment"], data["indicators"][1]["moment"]) == ("due_at", "closed_at")
    assert data["rounding"] == {"order": "sum_first", "decimals": 3}


def test_a_case_that_is_not_closed_counts_against_a_rate_of_closing():
    """By the close of a case every one of a period would be closed, and the rate 100."""
    for code in rates():
        _, data = made(rates=[{"measure": code}])
        moment = data["indicators"][0]["moment"]
        assert moment in measures()[code].moments
        if not measures()[code].limit_kind and not measures()[code].answers and code != "data_quality":
            assert moment == "dispatched_at", code


# Every combination


NUMBERS = (None, Decimal(12), Decimal("7.25"))
FORMS = [
    {"form": form, "better": better, **dict(zip(names, values, strict=True))}
    for form, names in (
        ("proportional", ("points", "target")),
        ("linear_deduction", ("points", "target", "per_point")),
        ("steps", ("points",)),
    )
    for better in ("higher", "lower")
    for values in itertools.product(NUMBERS, repeat=len(names))
    if (form, better) != ("proportional", "lower")
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_with_and_without_its_numbers_passes(form):
    told_form = {key: value for key, value in form.items() if value is not None}
    text, data = made(rates=[{"measure": "satisfaction", **told_form}])
    (one,) = data["indicators"]
    missing = [name for name in form if form[name] is None and name != ("target" if "prop" in form["form"] else "")]
    missing += ["steps"] if form["form"] == "steps" else []
    assert one.get("example", False) == bool(missing)
    assert all(name in text.partition("indicators:")[2] for name in missing)
    rule = one["scoring"]
    example = 95 if form["better"] == "higher" else 5  # where less is better the line lies low
    assert form["form"] != "linear_deduction" or form["target"] or rule["target"] == example
    assert form["form"] != "steps" or rule["steps"][0].get("at_least", rule["steps"][0].get("at_most")) == example
    for name in ("target", "per_point"):
        assert form.get(name) is None or rule[name] == float(form[name])


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
some = st.one_of(st.none(), st.decimals(Decimal("0.01"), 60, places=2))


@st.composite
def rate(draw):
    better = draw(st.sampled_from(["higher", "lower"]))
    forms = ["linear_deduction", "steps", *(["proportional"] if better == "higher" else [])]
    told_rate = {
        "measure": draw(st.sampled_from(list(rates()))),
        "better": better,
        "form": draw(st.sampled_from(forms)),
    }
    told_rate |= {"points": draw(some), "name_zh": draw(st.one_of(st.none(), texts))}
    told_rate["moment"] = draw(st.one_of(st.none(), st.sampled_from(measures()[told_rate["measure"]].moments)))
    if told_rate["form"] != "steps":
        told_rate["target"] = draw(some)
    if told_rate["form"] == "linear_deduction":
        told_rate |= {"per_point": draw(some), "floor": draw(some) if told_rate["points"] else None}
    if told_rate["form"] == "steps" and draw(st.booleans()):
        bounds = draw(st.lists(st.decimals(0, 100, places=1), min_size=1, max_size=4, unique=True))
        bound, is_down = ("at_least", True) if better == "higher" else ("at_most", False)
        told_rate["steps"] = [
            {bound: one, "points": draw(st.decimals(0, 20, places=2))} for one in sorted(bounds, reverse=is_down)
        ]
        told_rate |= {"otherwise": draw(some), "between": draw(st.sampled_from([None, "flat", "linear"]))}
    return {key: value for key, value in told_rate.items() if value is not None}


@st.composite
def change(draw):
    measure = draw(st.one_of(st.none(), st.sampled_from(list(counts()))))
    told_change = {"name_zh": draw(texts), "way": draw(st.sampled_from(["add", "deduct"])), "measure": measure}
    told_change |= {"cap": draw(some), "per_item": draw(some) if measure else None}
    return {key: value for key, value in told_change.items() if value is not None}


@st.composite
def answers(draw):
    periods = draw(st.sampled_from([("month",), ("year",), ("month", "year"), ("month", "quarter", "year")]))
    told_all = LEAST | {"title": draw(texts), "basis": {"title": draw(texts)}, "ranking": draw(st.booleans())}
    told_all["periods"] = {kind: draw(st.sampled_from(["indicative", "final"])) for kind in periods}
    if periods[0] == "month" and periods[-1] == "year" and draw(st.booleans()):
        told_all["aggregation"] = {"year": draw(st.sampled_from(["mean_of_months", "recomputed", "mean_of_quarters"]))}
    codes = draw(st.lists(st.sampled_from(["town", "dept", "firm"]), min_size=1, max_size=3, unique=True))
    told_all["peer_groups"] = [
        {key: value for key, value in {"code": one, "points": draw(some)}.items() if value is not None} for one in codes
    ]
    told_all["rates"] = draw(st.lists(rate(), min_size=1, max_size=4))
    told_all["changes"] = draw(st.lists(change(), max_size=3))
    told_all["bands"] = [{"name_zh": one} for one in draw(st.lists(texts, max_size=5))]
    if draw(st.booleans()):
        told_all["rounding"] = {"order": draw(st.sampled_from(["components_first", "sum_first"]))}
        told_all["rounding"] |= {"decimals": draw(st.integers(1, 4))}
    minimum = draw(some)
    return told_all if minimum is None else told_all | {"min_n": minimum}


def test_whatever_was_answered_passes_or_is_refused_in_both_languages(tmp_path_factory):
    passed = Counter()

    @settings(max_examples=80, deadline=None)
    @given(answers())
    def holds(given_answers):
        passed[_holds(tmp_path_factory.mktemp("answers"), given_answers)] += 1

    holds()
    assert passed[True] > 10 and passed[False] > 0, passed


def _holds(folder, given_answers) -> bool:
    """Whether a draft came out; it must be what was answered, and the check must take it."""
    (folder / "answers.yml").write_text(yaml.safe_dump(plain(given_answers), allow_unicode=True), encoding="utf-8")
    asked = ["schemes", "new", "--answers", f"{folder}/answers.yml", "--out", f"{folder}/draft.yml"]
    ran = CliRunner().invoke(minhu, asked)
    if ran.exit_code:
        assert isinstance(ran.exception, BadDeclaration), ran.exception
        assert "answers.yml:" in str(ran.exception) and not (folder / "draft.yml").exists()
        return False
    scheme = read_scheme(folder / "draft.yml")
    assert len(scheme.indicators) == len(given_answers["rates"]) + len(given_answers["changes"])
    for indicator, one in zip(scheme.indicators, given_answers["rates"], strict=False):
        is_whole = "points" in one and (one["form"] != "linear_deduction" or {"target", "per_point"} <= set(one))
        assert indicator.example == (not (is_whole and (one["form"] != "steps" or "steps" in one)))
        assert "points" not in one or indicator.points[0].value == one["points"]
    return True


def plain(value):
    """Decimals as YAML writes them."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value


# What is refused


@pytest.mark.parametrize(
    ("wrong", "en", "zh"),
    [
        ({"rates": [{"measure": "intake"}]}, "rates.0.measure: intake makes no rate", "算不出比率"),
        ({"rates": [{"measure": "magic"}]}, "rates.0.measure: there is no measure 'magic'", "没有 magic 这个度量"),
        (
            {"rates": [{"measure": "return_rate", "better": "lower"}]},
            "rates.0.form: in proportion more is better",
            "按比例是越高越好",
        ),
        (
            {"rates": [{"measure": "satisfaction", "per_point": 1}]},
            "rates.0.per_point: per_point is not said of",
            "不写 per_point",
        ),
        (
            {"rates": [{"measure": "satisfaction", "form": "linear_deduction", "points": 5, "floor": 6}]},
            "the floor 6 is above the points 5",
            "下限 6 高于分值 5",
        ),
        (
            {"rates": [{"measure": "satisfaction", "points": "1.25"}], "rounding": {"decimals": 1}},
            "1.25 points are rounded to 1 decimals",
            "会被取整到 1 位小数",
        ),
        (
            {
                "rates": [
                    {"measure": "satisfaction", "form": "steps"}
                    | {"steps": [{"at_least": 90, "points": 5}, {"at_least": 95, "points": 9}]}
                ]
            },
            "steps go from the best",
            "各级从好到差",
        ),
        ({"changes": [{"name_zh": "a", "way": "add", "per_item": 1}]}, "changes.0.per_item: ", "要和 measure 一起写"),
        (
            {"bands": [{"name_zh": "优", "at_least": 90}, {"name_zh": "差", "at_least": 60}]},
            "last band must start",
            "从 0",
        ),
        ({"peer_groups": [{"code": "a1"}, {"code": "a1"}]}, "two peer groups have the same code", "代码或名称相同"),
        ({"title": "a\nb"}, "title: must be written as", "title"),
        ({"weights": 1}, "weights: no such key here", "没有这个键"),
    ],
)
def test_what_makes_no_scheme_is_refused_with_its_line(tmp_path, wrong, en, zh):
    path = tmp_path / "answers.yml"
    path.write_text(yaml.safe_dump(plain(LEAST | wrong), allow_unicode=True), encoding="utf-8")
    ran = CliRunner().invoke(minhu, ["schemes", "new", "--answers", str(path), "--out", str(tmp_path / "draft.yml")])
    assert isinstance(ran.exception, BadDeclaration)
    assert en in str(ran.exception) and zh in str(ran.exception) and f"{path}:" in str(ran.exception)
    assert not (tmp_path / "draft.yml").exists()


@pytest.fixture
def city(tmp_path):
    """A configuration with a register and two schemes, and the answers beside it."""
    config = tmp_path / "config"
    (config / "schemes").mkdir(parents=True)
    for name in ("city.yml", "units.csv", "schemes/linan.yml"):
        (config / name).write_bytes((PROJECT_ROOT / "config" / name).read_bytes())
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(LEAST, allow_unicode=True), encoding="utf-8")
    return Settings(home=tmp_path / "home", config=config, drop=tmp_path / "drop", database_url=None)


def run(city, *asked: str, given_input: str | None = None):
    env = {"MINHU_HOME": str(city.home), "MINHU_CONFIG": str(city.config)}
    return CliRunner().invoke(minhu, ["schemes", "new", *asked], input=given_input, env=env)


def test_a_file_that_exists_is_never_written_over(city, tmp_path):
    out = tmp_path / "draft.yml"
    out.write_text("mine", encoding="utf-8")
    answers = f"--answers={tmp_path}/answers.yml"
    assert "not written over" in str(run(city, answers, f"--out={out}").exception)
    assert out.read_text(encoding="utf-8") == "mine"
    linan = (city.config / "schemes" / "linan.yml").read_bytes()
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(LEAST | {"id": "linan"}), encoding="utf-8")
    assert isinstance(run(city, answers).exception, Refused)
    assert (city.config / "schemes" / "linan.yml").read_bytes() == linan
    assert "no folder" in str(run(city, answers, f"--out={tmp_path}/none/draft.yml").exception)


def test_it_says_what_to_do_next_and_which_group_has_no_units(city, tmp_path):
    (tmp_path / "answers.yml").write_text(
        yaml.safe_dump(LEAST | {"peer_groups": [{"code": "nobody"}]}), encoding="utf-8"
    )
    ran = run(city, f"--answers={tmp_path}/answers.yml")
    assert ran.exit_code == 0, ran.exception
    assert (city.config / "schemes" / "nanhu.yml").is_file()
    for command in ("check nanhu", "try nanhu --inputs", "explain nanhu"):
        assert f"minhu schemes {command}" in ran.output
    assert "units.csv 没有 nobody" in ran.output


def test_an_id_that_is_none_and_two_ids_are_refused(city, tmp_path):
    answers = f"--answers={tmp_path}/answers.yml"
    assert run(city, "../x", answers).exit_code == 2
    assert "the command other" in str(run(city, "other", answers).exception)
    assert run(city, "nanhu", answers).exit_code == 0


def test_without_a_terminal_and_without_answers_it_is_refused(city):
    ran = run(city, "nanhu", given_input="南湖\n")
    assert "no terminal" in str(ran.exception) and "没有终端" in str(ran.exception)


# On a terminal

SAID = (
    *("南湖区考核办法", "关于印发的通知", "", "2026-02-30", "2026-01-01", "1,3", "", ""),  # no such day: asked again
    *("9,district_town", "", "", "镇街", "4.5"),
    *("", ""),
    *("satisfaction,return_rate", "", "", "2", "30", "90", "x", "0.5", "", "", "n", "2", "20", "5=20 10=10"),
    *("表扬", "1", "", "3", ""),
    *("优 差", "85", "n", "10"),
)


def expected(scheme):
    assert {group.code: group.name_zh for group in scheme.peer_groups} == {
        "linan_town": "镇街",
        "district_town": "镇街",
    }


def test_what_is_asked_makes_the_same_as_a_file_of_answers(city, monkeypatch):
    monkeypatch.setattr(drafting, "is_terminal", lambda: True)
    said = [*SAID]
    said[said.index("镇街")] = "乡镇"
    ran = run(city, "nanhu", given_input="\n".join(said) + "\n")
    assert ran.exit_code == 0, (ran.output, ran.exception)
    text = (city.config / "schemes" / "nanhu.yml").read_text(encoding="utf-8")
    assert text == draft(
        Answers.model_validate(
            {
                "id": "nanhu",
                "title": "南湖区考核办法",
                "basis": {"title": "关于印发的通知"},
                "valid_from": date(2026, 1, 1),
                "periods": {"month": "indicative", "year": "final"},
                "aggregation": {"year": "mean_of_months"},
                "peer_groups": [
                    {"code": "linan_town", "name_zh": "镇街"},
                    {"code": "district_town", "name_zh": "乡镇", "points": "4.5"},
                ],
                "rates": [
                    {"measure": "satisfaction", "form": "linear_deduction", "points": 30, "target": 90}
                    | {"per_point": "0.5"},
                    {"measure": "return_rate", "better": "lower", "form": "steps", "points": 20}
                    | {"steps": [{"at_most": 5, "points": 20}, {"at_most": 10, "points": 10}]},
                ],
                "changes": [{"name_zh": "表扬", "way": "add", "cap": 3}],
                "bands": [{"name_zh": "优", "at_least": 85}, {"name_zh": "差"}],
                "min_n": 10,
            }
        )
    )


def test_answers_that_make_no_scheme_are_shown_again(city, monkeypatch):
    """Two groups of one name: nothing that was typed is lost."""
    monkeypatch.setattr(drafting, "is_terminal", lambda: True)
    ran = run(city, "nanhu", given_input="\n".join(SAID) + "\n")
    assert isinstance(ran.exception, Refused) and "代码或名称相同" in str(ran.exception)
    again = yaml.safe_load(ran.output[ran.output.index("# 改好后") :])
    again["peer_groups"][1]["name_zh"] = "乡镇"
    assert draft(Answers.model_validate(again))


def test_a_real_terminal_is_asked(city, tmp_path):
    ours, theirs = pty.openpty()
    settings_of = {"MINHU_HOME": str(city.home), "MINHU_CONFIG": str(city.config), "TERM": "dumb"}
    out = tmp_path / "draft.yml"
    process = subprocess.Popen(
        [sys.executable, "-m", "minhu", "schemes", "new", "nanhu", "--out", str(out)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | settings_of,
        cwd=PROJECT_ROOT,
    )
    os.close(theirs)
    said = [*SAID]
    said[said.index("镇街")] = "乡镇"
    shown, left = b"", [*said]
    while select.select([ours], [], [], 30)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # it has ended
            break
        if left and shown.rstrip(b" ").endswith(b":"):
            os.write(ours, f"{left.pop(0)}\n".encode())
            shown += b"\n"
    assert process.wait(30) == 0, shown.decode()
    os.close(ours)
    assert "已写入" in shown.decode() and read_scheme(out).title == "南湖区考核办法"


def test_the_document_shows_answers_that_make_a_scheme():
    text = (PROJECT_ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")
    shown = (
        text.partition("minhu schemes new nanhu --answers answers.yml")[2].partition("```yaml\n")[2].partition("```")[0]
    )
    assert "example: true\n" not in draft(Answers.model_validate({"id": "nanhu"} | yaml.safe_load(shown)))
