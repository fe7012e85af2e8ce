"""Closings, differences and verifications as text for a terminal and for a log."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from minhu.glossary.decided import PUBLISHED, TESTIMONY
from minhu.publish.access_log_chain import AccessCheck
from minhu.publish.close import Closing
from minhu.publish.diff import Diff
from minhu.publish.ledger import Line, side, signed
from minhu.publish.sampled import CasesChecked
from minhu.publish.verify import Verification
from minhu.schemes.words import limit

if TYPE_CHECKING:
    from minhu.load.reread import Reread

SHOWN = 20


def render_closing(closing: Closing) -> str:
    """What was frozen, and who is asked for what next."""
    inputs = closing.inputs
    rows = "，".join(f"{PUBLISHED.zh(kind)} {closing.rows.get(kind, 0)} 行" for kind in PUBLISHED)
    return "\n".join(
        [
            f"{closing.period} 由 {closing.closed_by} 关账：第 {closing.revision} 次发布，closing {closing.closing_id}",
            f"冻结    {rows}",
            f"截至    {limit(closing.as_of)}{'（周期未结束，结果为参考）' if closing.is_early else ''}",
            f"依据    构建 {closing.build_id}：批次 {inputs['batches']['count']}，决定 {inputs['decisions']['count']}，"
            f"人工计分 {len(inputs['manual_points']['ids'])}；配置版本 {closing.config_version}；"
            f"办法 {closing.scheme_id} {closing.scheme_version}；代码 {inputs['code']['version']}",
            f"指纹    {closing.input_fingerprint}",
            f"内容    {closing.content_hash}",
            f"可审批  {'、'.join(closing.may_approve)}（未关账，也未作出其中的决定）",
            *(f"后期    {later}" for later in closing.later),
            f"下一步  由他人审批：minhu approvals add closing {closing.closing_id} --hash {closing.content_hash[:12]}"
            f" --reason '…'；然后 minhu publish {closing.period}",
        ]
    )


def render_diff(diff: Diff) -> str:
    """Why, then the ledger, who, which indicators, which cases."""
    lines = [f"{diff.period} 第 {diff.revision} 次发布与第 {diff.base_revision} 次相比：{diff.why or ''}", "原因"]
    lines += [f"  {cause}" for cause in _some(diff.causes)] or ["  输入没有变化"]
    lines += _ledger(diff)
    lines.append(f"单位（{len(diff.units)} 个得分、名次或档次有变化）")
    lines += [f"  {one}" for one in _some(diff.units)]
    lines.append(f"指标（{len(diff.indicators)} 项）")
    lines += [f"  {one}" for one in _some(_named(diff.indicators, diff.names))]
    lines.append(f"明细（{len(diff.cases)} 条）")
    lines += [f"  {one}" for one in _some(_named(diff.cases, diff.names))]
    return "\n".join(lines)


def _named(moved: tuple[Any, ...], names: dict[str, str]) -> tuple[Any, ...]:
    """What moved, told by the names of indicators."""
    return tuple(replace(one, indicator_code=names.get(one.indicator_code, one.indicator_code)) for one in moved)


def _ledger(diff: Diff) -> list[str]:
    """Unit by unit: each decision and batch, the cases that it moved, their indicators and points."""
    if not diff.ledger:
        return []
    lines = [f"台账（{len(diff.ledger)} 个单位；每个单位各行分值合计等于得分之差）"]
    for unit in _some(diff.ledger):
        if isinstance(unit, str):
            lines.append(f"  {unit}")
            continue
        sides = " → ".join("无" if one is None else str(one) for one in (unit.before, unit.after))
        lines.append(f"  {unit.unit_name}（{unit.unit_code}）得分合计 {sides}（{signed(unit.points)}）")
        for cause in unit.causes:
            lines.append(f"    {signed(cause.points)}  {cause.words}")
            lines += [f"      {one}" for one in _some(tuple(map(ledger_line, cause.lines)))]
    return lines


def ledger_line(line: Line) -> str:
    """A case, its indicator, what it counted and counts, and the points."""
    case = " ".join(filter(None, (line.feed_code, line.case_no)))
    sides = " → ".join(side(one) if one else "无" for one in (line.before, line.after))
    told = (case, line.indicator_name, sides if line.before or line.after else None, signed(line.points))
    return "  ".join(filter(None, told))


def render_verification(found: Verification) -> str:
    """The verdict first, then what is wrong, then what to know."""
    release = found.release
    verdict = "通过" if found.is_ok else "未通过"
    lines = [
        f"{verdict}：{release.period} 第 {release.revision} 次发布（release {release.release_id}），"
        f"哈希链共 {found.releases} 次发布，末端 {found.last_hash}"
    ]
    lines += [f"被改动  {one}" for one in found.findings]
    lines += [f"输入不符  {one}" for one in found.changed_inputs]
    if found.files:
        lines += _files(found.files)
    if found.differences:
        lines.append(f"重算不符 {len(found.differences)} 处")
        lines += [f"  {one}" for one in _some(found.differences)]
    if found.cases:
        lines += _cases(found.cases, bool(found.differences))
    elif found.differences == ():
        lines.append("重算一致：每个单位得分、每项指标、每条证据与发布的相同")
    if found.access:
        lines += render_access(found.access)
    lines += render_witnesses(found)
    lines += [f"说明    {note}" for note in found.notes]
    return "\n".join(lines)


def _cases(found: CasesChecked, is_wrong: bool) -> list[str]:
    """What was drawn and what that is worth; what was not looked at."""
    chances = "，".join(f"{altered} 件 {100 * chance:.1f}%" for altered, chance in found.chances.items())
    return [
        f"抽查工单 {found.cases}/{found.of_cases} 件（种子 {found.seed}），证据 {found.evidence} 条："
        + ("不符之处见上" if is_wrong else "与重算的相同"),
        f"抽中概率 若全部工单中有被改动的，至少抽中一件：{chances}",
        f"合计核对 {found.sums}/{found.of_sums} 项单位指标的失分行可由证据合计",
        "得分核对 各项得分、总分、名次、档次由已发布的分子、分母重算",
        *(f"未核对  {one}" for one in found.not_checked),
    ]


def _files(found: "Reread") -> list[str]:
    drawn = (
        f"抽查 {found.files}/{found.of_files} 个批次（种子 {found.seed}）"
        if found.seed
        else f"全部 {found.files} 个批次"
    )
    verdict = f"{len(found.deviations)} 处不符" if found.deviations else "与暂存表逐行逐列相符"
    return [
        f"落地文件 {drawn}，{found.rows} 行：{verdict}",
        *(f"落地文件 {one}" for one in _some(found.deviations)),
        *(f"说明    {note}" for note in found.notes),
    ]


def render_witnesses(found: Verification) -> list[str]:
    """In one line who agreed, who was missing, who keeps each; then what that proves."""
    told = [
        f"{TESTIMONY.zh(says)}：{'、'.join(map(str, those))}"
        for says in TESTIMONY
        if (those := [one for one in found.witnesses if one.says == says])
    ]
    proven = "未对运行方证明（not proven against the operator）"
    if not found.is_ok:
        proven = "不符，见上"
    elif found.is_proven:
        proven = "有外部见证相符，运行方也未能改写"
    return [f"见证    {'；'.join(told)}", f"结论    {proven}"]


def render_access(found: AccessCheck) -> list[str]:
    """The access log's verdict, and what is wrong with it."""
    verdict = "通过" if found.is_ok else "未通过"
    waits = f"，另有 {found.unsealed} 行尚未封存" if found.unsealed else ""
    return [
        f"访问日志{verdict}：共 {found.rows} 行，末端 {found.head}{waits}",
        *(f"访问日志  {one}" for one in _some(found.findings)),
    ]


def _some(listed: tuple) -> list:
    more = [f"……另有 {len(listed) - SHOWN} 条，见 --json"] if len(listed) > SHOWN else []
    return [*listed[:SHOWN], *more]
