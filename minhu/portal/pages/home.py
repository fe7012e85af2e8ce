"""首页: how the city, or one's unit, stands; what waits for whoever looks."""

from decimal import Decimal

from starlette.responses import Response

from minhu.portal.asking import Ask
from minhu.portal.pages.inbox import gather
from minhu.portal.pages.push import push
from minhu.publish.close import Release
from minhu.publish.diff import list_releases
from minhu.publish.feedback import feedback
from minhu.publish.standing import Scored, standing
from minhu.warehouse.board import Board, board, without_small

NEWEST = 6


def home(ask: Ask) -> Response:
    if ask.person.group == "sender":
        return push(ask)
    own = ask.person.units[0] if ask.person.units else None
    found = board(ask.reads, own) if ask.person.group != "unit" or own else None
    if found and ask.person.is_outside:
        found = without_small(found)
    released = newest(ask) if ask.person.group in ("evaluator", "auditor", "unit") else None
    return ask.page(
        "home.html",
        board=found,
        own="、".join(ask.person.unit_names) or None,
        own_unit=own,
        month=_own_month(ask, own, released) if own and released else None,
        sentences=list(sentences(ask, found)) if found and not own else [],
        waiting=_waiting(ask),
        releases=released[:NEWEST] if released is not None else None,
    )


def _own_month(ask: Ask, unit: str, released: list[Release]) -> tuple[Release, Scored] | None:
    """The newest published period in which the unit was scored."""
    for one in released[:NEWEST]:
        told = standing(ask.reads, unit, one.scheme_id, one.period)
        if told and told[-1].period == one.period:
            return one, told[-1]
    return None


def newest(ask: Ask) -> list[Release]:
    """Of each published period and scheme its newest revision, the newest period first."""
    released = sorted(list_releases(ask.reads), key=lambda one: one.release_id)
    of_each = {(one.period, one.scheme_id): one for one in released}
    return [of_each[key] for key in sorted(of_each, reverse=True)]


def sentences(ask: Ask, found: Board) -> list[str]:
    """The city in three sentences, for whoever reads no table."""
    week, before = found.week, found.before
    told = [
        ask.said("七天受理 {intake} 件，办结 {closed} 件，其中 {on_time} 件在时限内。").format(
            intake=f"{week.intake:,}", closed=f"{week.closed:,}", on_time=f"{week.closed_on_time:,}"
        )
    ]
    if found.hot and found.hot[0].intake is not None:
        top = found.hot[0]
        moved = _moved(ask, top.intake, top.before) if before else ""
        told.append(
            ask.said("诉求最多的是{name}，{intake} 件{moved}。").format(
                name=top.name, intake=f"{top.intake:,}", moved=moved
            )
        )
    if found.day.open is not None:
        text = ask.said("当日终了在办 {open} 件，其中超期 {overdue} 件{most}。")
        most = ""
        if found.backlogs and found.backlogs[0].overdue is not None:
            first = found.backlogs[0]
            most = ask.said("，最多的是{name}（{count} 件）").format(name=first.unit_name, count=first.overdue)
        told.append(text.format(open=f"{found.day.open:,}", overdue=f"{found.day.overdue or 0:,}", most=most))
    return told


def _moved(ask: Ask, now: int | None, before: int | None) -> str:
    if now is None or not before:
        return ""
    share = (Decimal(100 * (now - before)) / before).quantize(Decimal("1"))
    if not share:
        return ask.said("，与上个七天持平")
    return ask.said("，比上个七天多 {share}%" if share > 0 else "，比上个七天少 {share}%").format(share=abs(share))


def _waiting(ask: Ask) -> list[tuple[str, str]]:
    """What this person can decide, in words, with the page where it is decided."""
    if ask.person.group == "unit":
        return [
            (ask.said("{period} 的结果待核对").format(period=one.period), f"/feedback/{one.closing_id}/{code}")
            for one in feedback(ask.reads)
            if one.is_open
            for code in ask.person.units
        ]
    if ask.person.group != "evaluator":
        return []
    found = gather(ask)
    texts = {
        "closings": ask.said("{count} 次关账待审批"),
        "appeals": ask.said("{count} 件申诉待裁定"),
        "unconfirmed": ask.said("{count} 项决定待他人复核"),
        "held": ask.said("{count} 个批次被扣留"),
        "findings": ask.said("{count} 条警告未处置"),
    }
    waits = [
        (texts[what].format(count=count), f"/inbox#{what}" if what != "findings" else "/quality#findings")
        for what in texts
        if (count := len(getattr(found, what)))
    ]
    if unanswered := sum(one.unanswered for one in feedback(ask.reads) if not one.is_published):
        waits.append((ask.said("{count} 条核对意见待答复").format(count=unanswered), "/feedback#remarks"))
    return waits
