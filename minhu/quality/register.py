"""The register of rules: what is required, on what basis, who answers for it, and since when.

`audit.quality_rule` is the dated register, kept by every gate run; `docs/quality-rules.md` shows the rules as they
stand in ``expectations/``.
"""

from collections.abc import Iterable
from pathlib import Path

import psycopg

from minhu.glossary.delivered import GATE, ON_FAILURE, SEVERITY
from minhu.quality.rules import GATES, ROOT, Gate, Rule, read_rules

COLUMNS = ("rule_id", "title_zh", "severity", "on_failure", "dimension", "owner", "basis")
_HEAD = """# 质量规则台账 · The register of quality rules

由 `minhu quality rules --markdown` 生成，勿手改。规则写在 `expectations/`，每次门禁运行把现行版本记入
`audit.quality_rule`。
维度按 GB/T 36344-2018《信息技术 数据质量评价指标》。扣留：批次不进入数仓，直至有人放行；停止：结果不得发布。
学习阈值（「往常」）的算法见 [quality.md](quality.md)。
"""


def rules(root: Path = ROOT) -> list[dict]:
    """Every rule of both gates as it stands in the files, ready for JSON."""
    return [_listed(rule) for gate in GATES for rule in read_rules(root, gate)]


def markdown(root: Path = ROOT) -> str:
    """The page docs/quality-rules.md."""
    parts = [_HEAD]
    for gate in GATES:
        found = read_rules(root, gate)
        parts += [f"\n## {GATE[gate].zh} · {GATE[gate].en}（{len(found)}）\n", _table(found)]
    return "\n".join(parts)


def keep(connection: psycopg.Connection, gate: Gate, in_force: Iterable[Rule]) -> None:
    """Brings the dated register up to the rules that a run of the gate used.

    A rule that changed ends its row and begins another; one that is gone, or has another id now, ends its row.
    """
    known: dict[str, str] = dict(
        connection.execute(
            "select rule_id, rule_hash from audit.quality_rule where until is null and starts_with(rule_id, %s)",
            [f"{gate}."],
        ).fetchall()
    )
    wanted = {rule.id: rule for rule in in_force}
    ended = [
        rule_id for rule_id, known_as in known.items() if rule_id not in wanted or wanted[rule_id].hash != known_as
    ]
    connection.execute(
        "update audit.quality_rule set until = clock_timestamp() where until is null and rule_id = any(%s)",
        [ended],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.quality_rule (rule_id, rule_hash, title_zh, description, dimension, owner, basis,"
            " severity, on_failure, asset, since)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
            [
                (
                    rule.id,
                    rule.hash,
                    rule.title_zh,
                    rule.description,
                    rule.dimension,
                    rule.owner,
                    rule.basis,
                    rule.severity,
                    rule.on_failure,
                    rule.asset,
                )
                for rule in wanted.values()
                if known.get(rule.id) != rule.hash
            ],
        )


def _listed(rule: Rule) -> dict:
    return {
        "rule_id": rule.id,
        "title_zh": rule.title_zh,
        "description": rule.description,
        "severity": rule.severity,
        "on_failure": rule.on_failure,
        "dimension": rule.dimension,
        "owner": rule.owner,
        "basis": rule.basis,
        "asset": rule.asset,
        "guards": list(rule.guards),
        "rule_hash": rule.hash,
    }


def _table(found: Iterable[Rule]) -> str:
    head = "| 规则 | 要求 | 维度 | 级别 | 未通过时 | 责任 | 依据 |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| **{rule.title_zh}**<br>`{rule.id}` | {rule.description.partition('：')[2]} | {rule.dimension} "
        f"| {SEVERITY.zh(rule.severity)} | {ON_FAILURE.zh(rule.on_failure)} | {rule.owner} | {rule.basis} |\n"
        for rule in found
    )
