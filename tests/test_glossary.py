"""A code has one Chinese and one English wording, in the glossary, and nowhere else."""

import ast
import re
from collections.abc import Iterator

import pytest

from minhu.declaration import read_yaml
from minhu.feeds.canonical import EVENT_TYPES, LAYOUTS, SATISFACTION_SCALES, VIOLATIONS
from minhu.glossary import KINDS
from minhu.glossary.columns import COLUMN
from minhu.glossary.delivered import DOOR_REASON, LOAD_FAILURE
from minhu.glossary.kind import Kind
from minhu.settings import PROJECT_ROOT
from tests.test_house import tracked

CODES = {code for kind in KINDS.values() for code in kind}
CHINESE = re.compile("[\u4e00-\u9fff]")
OF_SEVERAL_MEANINGS = set(
    "accepted add after_end after_void arrival batches before_dispatch bulletin change city close closed_again "
    "content count counted day decision event extension_asked_late extension_request_not_told failed full_points "
    "held hold hotline landed_file last late left_out loaded merged no peer_group per points publication reason "
    "refused rejected rejected_rows report review_back_before_close revision same steps superseded take times "
    "title tombstone unit unreachable withdrawn zero".split()
)
"""Codes that mean something else in another kind. Every other code is said alike wherever it stands."""
NARROWER = {
    "clock": {"计时方式"},
    "due_at": {"办结时限"},
    "feed_code": {"热线"},
    "limit_rule": {"时限依据"},
    "peer_group": {"同类组代码"},  # beside its name
    "scheme_id": {"考核办法代码"},
    "source": {"剔除依据", "报送来源"},
    "unit_code": {"承办单位", "主管单位"},
}
"""What the dictionary of the warehouse calls a column where its table says more of what it holds."""
PARTS_OF_SENTENCES = {
    *{("accounts.py", "held"), ("functions.py", "higher"), ("words.py", "feed"), ("words.py", "below")},
    ("tune.py", "differs"),
}
"""Not what the code is called: what is said where it holds."""


# The glossary itself


def test_every_word_is_said_in_both_languages():
    words = [(kind.name, code, word) for kind in KINDS.values() for code, word in kind.items()]
    assert len(words) > 500
    assert [one for one in words if not CHINESE.search(one[2].zh)] == []
    assert [one for one in words if not one[2].en.strip() or CHINESE.search(one[2].en)] == []


def test_a_kind_is_made_once_and_words_a_code_once():
    calls = [
        (node.targets[0].id, *node.value.args)
        for path in tracked("minhu/glossary/*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    ]
    assert len(calls) == len(KINDS) > 50
    assert [name for name, called, _ in calls if name.lower() != called.value] == []
    twice = [(name, key.value) for name, _, words in calls for key in words.keys[len(KINDS[name.lower()]) :]]
    assert twice == []


def test_a_code_is_said_alike_in_every_kind_or_means_something_else():
    said: dict[str, set[str]] = {}
    for kind in KINDS.values():
        for code, word in kind.items():
            said.setdefault(code, set()).add(word.zh)
    assert {code for code, words in said.items() if len(words) > 1} == OF_SEVERAL_MEANINGS


def test_a_code_without_a_word_is_an_error_that_names_it():
    kind = Kind("colour", {"red": ("红", "red")})
    assert (kind.zh("red"), kind["red"].en, kind.said("red", "en"), kind.said("blue")) == ("红", "red", "red", "blue")
    with pytest.raises(KeyError, match="no colour 'blue'"):
        kind.zh("blue")


# Closed lists are worded whole


def closed_lists() -> Iterator[tuple[str, set[str]]]:
    """Each list of codes that nothing else may stand in: where it is, its codes."""
    for kind, columns in LAYOUTS.items():
        yield from ((f"{kind}.{column.name}", set(column.codes)) for column in columns if column.codes)
    yield "event types", set(EVENT_TYPES)
    yield "violations", set(VIOLATIONS)
    yield from ((f"scale {name}", set(codes)) for name, codes in SATISFACTION_SCALES.items())
    for path in tracked("sql/*.sql"):
        text = re.sub("--.*", "", path.read_text(encoding="utf-8"))
        for column, codes in re.findall(r"\bcheck\s*\(\s*(\w+)\s+in\s*\(([^()]*)\)\s*\)", text):
            yield f"{path.name}: {column}", set(re.findall("'([^']*)'", codes))
    for path in tracked("dbt_project/models/**.yml"):
        for codes in re.findall(
            r"accepted_values:\s*arguments: \{values: \[([^]]*)\]", path.read_text(encoding="utf-8")
        ):
            yield f"{path.name}: {codes}", set(codes.split(", "))
    for path in [*tracked("minhu/schemes/language/*.py"), PROJECT_ROOT / "minhu" / "quality" / "rules.py"]:
        for codes in re.findall(r"Literal\[([^]]*)\]", path.read_text(encoding="utf-8")):
            if found := set(re.findall('"([a-z0-9_]+)"', codes)):
                yield f"{path.name}: {codes}", found


def test_every_closed_list_has_a_kind_that_words_all_of_it():
    lists = list(closed_lists())
    assert len(lists) > 60
    assert [where for where, codes in lists if not any(codes <= set(kind) for kind in KINDS.values())] == []


def test_every_reason_of_the_door_has_a_word():
    text = "".join(path.read_text(encoding="utf-8") for path in tracked("minhu/feeds/**.py", "minhu/load/**.py"))
    told = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', text)) - set(EVENT_TYPES) - {"MINHU_LANDING_KEY", "EVERY_DELIVERY"}
    told -= {"POLARS_MAX_THREADS", "LD_LIBRARY_PATH"}  # what a reader's own process is given
    told |= set(re.findall(r'\bBadDelivery\(\s*"([A-Z_]+)"', text))
    assert len(told) > 18 and told - set(DOOR_REASON) - set(LOAD_FAILURE) == set()


# Nobody else words a code


def worded(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Codes of the glossary beside a Chinese text: as key and value, next to each other, or as what is asked for."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.AST | None, ast.AST]] = []
        if isinstance(node, ast.Dict):
            pairs = list(zip(node.keys, node.values, strict=True))
        elif isinstance(node, ast.Tuple | ast.List):
            pairs = list(zip(node.elts, node.elts[1:], strict=False))
        elif isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id == "Text"):
            pairs = list(zip(node.args, node.args[1:], strict=False))
        elif isinstance(node, ast.IfExp) and isinstance(node.test, ast.Compare):
            sides = [side for side in (node.body, node.orelse) if isinstance(side, ast.Constant)]
            pairs = [(node.test.comparators[0], side) for side in sides]
        for code, text in pairs:
            if isinstance(code, ast.Constant) and code.value in CODES and (said := _chinese(text)):
                yield node.lineno, code.value, said


def _chinese(node: ast.AST) -> str:
    """What is Chinese in a text, a text with values in it, or the first of several texts."""
    if isinstance(node, ast.Tuple | ast.List) and node.elts:
        return _chinese(node.elts[0])
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(
        str(part.value) for part in parts if isinstance(part, ast.Constant) and CHINESE.search(str(part.value))
    )


def test_no_module_words_a_code_of_the_glossary():
    paths = tracked("minhu/**.py", "dags/*.py", "bench/*.py", "expectations/**.py")
    # what a simulated city writes and what faults are planted are no words of ours, titles of charts are no codes
    others = [
        path
        for path in paths
        if path.parent.name not in ("glossary", "simulate") and path.name not in ("catalogue.py", "content.py")
    ]
    assert len(others) > 150
    found = [(path.name, *one) for path in others for one in worded(ast.parse(path.read_text(encoding="utf-8")))]
    assert [one for one in found if (one[0], one[2]) not in PARTS_OF_SENTENCES] == []
    assert {(name, code) for name, _, code, _ in found} == PARTS_OF_SENTENCES


def test_no_page_words_a_code_otherwise():
    """``held`` 扣留 in a text, and a row of a table that begins with a code."""
    pages = [path for path in tracked("*.md", "docs/**.md") if path.name not in ("CHANGELOG.md", "metrics.md")]
    assert len(pages) > 15
    otherwise = []
    for path in pages:
        for code, said in re.findall(
            r"`(\w+)`(?: \|)? ([\u4e00-\u9fff]+)(?![^ |,;.，。；、）)])", path.read_text(encoding="utf-8")
        ):
            words = {kind.zh(code) for kind in KINDS.values() if code in kind}
            if words and said not in words:
                otherwise.append((path.name, code, said, words))
    assert otherwise == []


def test_the_dictionary_of_the_warehouse_calls_columns_by_their_words():
    labels = [
        (column["name"], column["config"]["meta"]["label_zh"])
        for path in tracked("dbt_project/models/**.yml")
        for table in _tables(read_yaml(path))
        for column in table.get("columns", ())
        if "label_zh" in column.get("config", {}).get("meta", {})
    ]
    told = [(name, label) for name, label in labels if name in COLUMN]
    assert len(told) > 70
    assert [(name, label) for name, label in told if label not in {COLUMN.zh(name), *NARROWER.get(name, ())}] == []


def _tables(page: dict) -> list[dict]:
    return [*page.get("models", ()), *(table for source in page.get("sources", ()) for table in source["tables"])]


@pytest.mark.parametrize(
    "text",
    [
        'STATUS = {"held": "扣留"}',
        'STATUS = {"held": ("扣留", "held")}',
        'STATUS = {"held": f"{count} 个扣留"}',
        'Column("unit_code", "单位代码")',
        'TITLES = (("unit_code", "单位代码"),)',
        '"协办" if role == "support" else "主办"',
    ],
)
def test_the_test_sees_a_second_wording(text: str):
    assert len(list(worded(ast.parse(text)))) >= 1
