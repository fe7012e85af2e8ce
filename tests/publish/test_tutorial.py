"""The commands of three pages, run as they stand there, in their order, by those named before the ``$``.

docs/assessment.md, docs/exports.md and docs/audit.md are followed one after the other in one small city. A page shows
of what a command says as much as it likes, below it; ``…`` stands for anything. ``TOLD`` holds it to more.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.settings import PROJECT_ROOT
from tests.publish import city as world
from tests.publish.city import LATE, case, declare, deliver, login
from tests.sources.web import Web
from tests.test_how_to import blocks, flat

PEOPLE = {  # by the name before the `$`; whoever has none is the owner
    "shen": {"group": "evaluator"},
    "gu": {"group": "evaluator"},
    "d1": {"group": "unit", "unit": "U1"},
    "wu": {"group": "auditor"},
    "fenxi": {"group": "bi"},
}
MORE = yaml.safe_dump(
    {
        "bulletin": [{"valid_from": "2020-01-01", "issued_by": "某某市考评办公室", "seal_line": "（盖章）"}],
        "feed_quality": [
            {
                "valid_from": "2020-01-01",
                "completeness_points": 10,
                "content_points": 10,
                "timeliness_points": 5,
                "stability_points": 5,
                "content": ["rejected_pct"],
                "due_days": 1,
                "due_time": "06:00",
            }
        ],
    },
    allow_unicode=True,
)
TOLD = {  # what a command says, in parts
    "close 2026-10": ("第 1 次发布，closing 1", "单位得分 2 行", "minhu approvals add closing 1"),
    "closings show 1": ("内容    "),
    "closings show 2": ("内容    ", "第 2 次发布与第 1 次相比"),
    "publish 2026-10": ("第 {revision} 次发布（release {revision}）", "t_shen 审批（仅凭登录）"),
    "approvals waiting": ("mis_dispatched", "核实为错派", "t_gu"),
    "revise 2026-10": ("新到批次 2", "申诉 1：获准", "单位（1 个得分、名次或档次有变化）", "城管局（U1）：百分制得分"),
    "releases diff 2026-10": ("第 2 次发布与第 1 次相比：申诉获准，补报一批",),
    "releases show 2026-10 --revision 1": ("第 1 次发布", "城管局", "交通局"),
    "explain U1 2026-10 --revision 1": ("第 1 次发布", "城管局（U1）"),
    "verify 2026-10 --anchor anchor.json --strict": ("一致：市人大（接口推送，办公室保管）", "结论    有外部见证相符"),
    "anchors list": ("市人大", "已送达"),
    "verify 2026-10": ("通过：2026-10 第 2 次发布",),
    "verify 2026-10 --revision 1": ("通过：2026-10 第 1 次发布", "重算一致"),
    "verify 2026-10 --cases 2000": ("通过：2026-10 第 2 次发布", "抽查工单"),
    "verify 2026-10 --chain-only": ("通过", "只校验了哈希链，未重算"),
    "audit trace h1 330100202610100005": ("330100202610100005", "城管局", "申诉"),
    "audit feeds 2026-10": ("h1",),
}


def page_of(name: str) -> str:
    return (PROJECT_ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def steps(page: str) -> list[tuple[str, str, list[str]]]:
    """Who runs what in the blocks without a kind, and what the page shows that it says. Nothing else stands in them."""
    found: list[tuple[str, str, list[str]]] = []
    for block in blocks(page):
        if block.kind:
            continue
        for at, line in enumerate(block.text.splitlines()):
            if step := re.fullmatch(r"(\w*)\$ minhu (.+)", line):
                found.append((step[1], step[2], []))
            else:
                assert at and not line.startswith("minhu "), f"nobody is named who runs: {line}"
                found[-1][2].append(line)
    return found


class City:
    """The city in which the pages are followed, in a folder of its own."""

    def __init__(self, owner, folder: Path, witness: Web):
        self.owner, self.folder, self.witness = owner, folder, witness
        self.published = self.built = 0
        self.people = {name: login(owner, f"t_{name}", **who) for name, who in PEOPLE.items()} | {"": owner}

    def follow(self, name: str) -> list[str]:
        """Runs a page's commands; returns them."""
        told = steps(page_of(name))
        for who, line, shown in told:
            self.run(who, line, shown)
        return [line for _, line, _ in told]

    def run(self, who: str, line: str, shown: list[str]) -> None:
        if line == "build":
            deliver(self.owner, [case(9 + self.built, "交通局", **LATE)])
            self.built += 1
        self.published += line.startswith("publish")
        done = self.invoke(who, self.here(line))
        assert done.exit_code == 0, (line, done.output, done.exception)
        for key, parts in TOLD.items():
            if line == key or (key.startswith("revise") and line.startswith(key)):
                for part in parts:
                    assert part.format(revision=self.published) in done.output, (line, done.output)
        at = 0
        for part in (part for text in shown for part in text.split("…")):
            at = flat(done.output).find(flat(part), at)
            assert at >= 0, f"{line}\ndoes not say: {part}\n{done.output}"

    def here(self, line: str) -> str:
        """A command of the page with what only this city has: hashes, and the logins' names on this server."""
        if "anchor.json" in line:
            kept = self.folder.with_name(f"{self.folder.name}-kept.json")
            kept.write_bytes(self.witness.asked[-1].body)
            line = line.replace("anchor.json", str(kept))
        line = re.sub(r"(closing (\d+) --hash) \w+", lambda found: f"{found[1]} {self.hash_of(found[2])}", line)
        return re.sub(r"^logins name (\w+)", r"logins name t_\1", line)

    def hash_of(self, closing_id: str) -> str:
        query = "select left(content_hash, 12) from publish.closing where closing_id = %s"
        return world.rows(self.owner, query, closing_id)[0][0]

    def invoke(self, who: str, line: str):
        settings = self.people[who]
        words = [part.strip("'") for part in re.findall(r"'[^']*'|\S+", line)]
        env = {
            "MINHU_HOME": settings.home,
            "MINHU_CONFIG": settings.config,
            "MINHU_DROP": settings.drop,
            "MINHU_DATABASE_URL": settings.database_url,
        }
        with pytest.MonkeyPatch.context() as here:
            here.chdir(self.folder)
            return CliRunner().invoke(minhu, words, env={key: str(value) for key, value in env.items()})


@pytest.fixture(scope="module")
def followed(scratch, tmp_path_factory):
    """The city after docs/assessment.md, with the commands of that page; somebody outside keeps what he is sent."""
    owner = world.make(scratch, tmp_path_factory.mktemp("tutorial"), more=MORE)
    with Web() as web, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINHU_SECRET_WITNESS_HOOK", "s")
        sent_to = {"type": "webhook", "url": web.url, "secret": "witness_hook"}
        declare(owner, [{"name": "市人大", "kept_by": "办公室", "by": sent_to}])
        city = City(owner, tmp_path_factory.mktemp("here"), web)
        yield city, city.follow("assessment")


@pytest.mark.long
def test_assessment_is_done_as_its_page_tells(followed):
    city, lines = followed
    assert len(lines) >= 20 and city.published == 2
    assert set(TOLD) - {"audit trace h1 330100202610100005", "audit feeds 2026-10", "revise 2026-10"} <= set(lines)


@pytest.mark.long
def test_exports_are_written_as_their_page_tells(followed):
    city, _ = followed
    lines = city.follow("exports")
    named = set(re.findall(r"--out (\S+)", " ".join(lines)))
    papers = {Path(name).suffix for name in named - {"marts"}}
    assert len(named) >= 10 and papers == {".xlsx", ".pdf", ".html", ".docx", ".csv"}
    assert {path.name for path in city.folder.iterdir()} == named
    page = (city.folder / "通报.html").read_text(encoding="utf-8")
    assert "某某市考评办公室\n" in page and "（盖章）" in page
    assert "姓名未登记" in page and not re.search(r"\bt_\w+", page)  # named after that file was written


@pytest.mark.long
def test_audits_are_done_as_their_page_tells(followed):
    city, _ = followed
    lines = city.follow("audit")
    asked = {" ".join(line.split()[:2]) for line in lines}
    assert {f"audit {name}" for name in ("report", "trace", "sample", "feeds", "gaming")} <= asked
    table = set(re.findall(r"^\|[^|]+\| `minhu ([a-z ]+)` \|$", page_of("audit"), re.MULTILINE))
    assert len(table) == 7 and all(any(line.startswith(one) for line in lines) for one in table)
    for ending in ("html", "pdf"):
        assert (city.folder / f"audit-2026-10.{ending}").stat().st_size > 10_000


@pytest.mark.long
def test_the_query_of_the_page_draws_the_same_sample(followed):
    city, _ = followed
    (query,) = [block.text for block in blocks(page_of("audit")) if block.kind == "sql"]
    done = city.invoke("wu", "audit sample 2026-10 --n 30 --seed 审计1012 --json")
    drawn = [(one["feed_code"], one["case_no"]) for one in json.loads(done.output)["cases"]]
    with database.connect(replace(city.people["wu"])) as connection:
        assert connection.execute(query).fetchall() == drawn
    assert len(drawn) >= 9
