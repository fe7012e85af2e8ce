"""The commands of docs/assessment.md, run as they stand there, in their order, by those named before the `$`."""

import re

import pytest
from click.testing import CliRunner

from minhu.cli import minhu
from minhu.settings import PROJECT_ROOT
from tests.publish import city as world
from tests.publish.city import LATE, case, declare, deliver, login
from tests.sources.web import Web

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
    "verify 2026-10": ("通过：2026-10 第 2 次发布", "重算一致"),
    "verify 2026-10 --revision 1": ("通过：2026-10 第 1 次发布", "重算一致"),
    "verify 2026-10 --chain-only": ("通过", "只校验了哈希链，未重算"),
}


@pytest.fixture(scope="module")
def witness():
    """Keeps what it is sent."""
    with Web() as web:
        yield web


@pytest.fixture(scope="module")
def people(scratch, tmp_path_factory, witness):
    city = world.make(scratch, tmp_path_factory.mktemp("tutorial"))
    sent_to = {"type": "webhook", "url": witness.url, "secret": "witness_hook"}
    declare(city, [{"name": "市人大", "kept_by": "办公室", "by": sent_to}])
    return {
        "": city,
        "shen": login(city, "t_shen", "evaluator"),
        "gu": login(city, "t_gu", "evaluator"),
        "d1": login(city, "t_d1", "unit", unit="U1"),
        "wu": login(city, "t_wu", "auditor"),
    }


def shown(city, closing_id):
    """The hash that the page stands for."""
    query = "select left(content_hash, 12) from publish.closing where closing_id = %s"
    return world.rows(city, query, closing_id)[0][0]


@pytest.mark.long
def test_the_page_tells_what_happens(people, witness, monkeypatch, tmp_path):
    monkeypatch.setenv("MINHU_SECRET_WITNESS_HOOK", "s")
    monkeypatch.chdir(tmp_path)
    page = (PROJECT_ROOT / "docs" / "assessment.md").read_text(encoding="utf-8")
    steps = re.findall(r"^(\w*)\$ minhu (.+)$", page, re.MULTILINE)
    assert len(steps) == 22
    told, published = dict(TOLD), 0
    for who, line in steps:
        settings = people[who]
        for name, value in (
            ("MINHU_HOME", settings.home),
            ("MINHU_CONFIG", settings.config),
            ("MINHU_DROP", settings.drop),
            ("MINHU_DATABASE_URL", settings.database_url),
        ):
            monkeypatch.setenv(name, str(value))
        if line == "build":
            deliver(people[""], [case(9, "交通局", **LATE)])
        published += line.startswith("publish")
        line = re.sub(r"(closing (\d+) --hash) \w+", lambda found: f"{found[1]} {shown(people[''], found[2])}", line)
        if "anchor.json" in line:
            (tmp_path / "anchor.json").write_bytes(witness.asked[-1].body)
        words = [part.strip("'") for part in re.findall(r"'[^']*'|\S+", line)]
        done = CliRunner().invoke(minhu, words)
        assert done.exit_code == 0, (line, done.output, done.exception)
        for key, parts in told.items():
            if line == key or (key.startswith("revise") and line.startswith(key)):
                for part in parts:
                    assert part.format(revision=published) in done.output, (line, done.output)
    assert published == 2
