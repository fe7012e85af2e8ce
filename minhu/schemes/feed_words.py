"""The words of the data-quality score of feeds, in Chinese, as the unit that runs a feed reads them."""

from collections.abc import Iterable
from datetime import datetime

from minhu.glossary.delivered import QUALITY_CAUSE, QUALITY_METRIC

NAMED = 5
"""So many causes are told in one sentence."""


def loss_text(loss: dict) -> str:
    """One cause: an element of ``audit.feed_quality.lost``."""
    cause = QUALITY_CAUSE.zh(loss["cause"])
    if loss["cause"] == "nothing_arrived":
        return cause
    if metric := loss.get("metric"):
        return f"{loss['delivery']} {QUALITY_METRIC.said(metric)} {loss['missed']}/{loss['of_total']} 行"
    told = f"{loss['delivery']} {loss['on']} {cause}"
    if loss["cause"] == "refused":
        return f"{told}（批次 {loss['batch_id']}，{loss['reason_code']}）"
    at = loss.get("at")
    return f"{told}（{_moment(at)}）" if at else told


def losses_text(lost: Iterable[dict]) -> str:
    """What cost a part its points, the dearest first, the rest as a number."""
    told = [f"{loss_text(loss)} 扣 {loss['points']:.2f}" for loss in lost]
    more = [f"另 {len(told) - NAMED} 项"] if len(told) > NAMED else []
    return "；".join([*told[:NAMED], *more])


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at):%m-%d %H:%M}"
