"""Where a line of Chinese, or of Chinese with English and numbers in it, may break."""

from collections.abc import Callable, Set

from minhu.paper.names import Names

NOT_FIRST = "，。、；：！？）》」』”’％%,.;:!?)]}·"
"""Characters that no line begins with (避头尾)."""
NOT_LAST = "（《「『“‘([{"


def wrap(
    text: str, width: float, measure: Callable[[str], float], first: float = 0, names: Names | None = None
) -> list[str]:
    """``text`` in lines no wider than ``width``, the first by ``first`` narrower.

    A line breaks between any two Chinese characters and at blanks, never before a closing or after an opening mark, nor
    within a date, nor after a sign of a number, nor inside a word of one of the ``names``.
    """
    lines = []
    for paragraph in text.split("\n"):
        rest, room = paragraph, width - first
        closed = names.closed(paragraph) if names and measure(rest) > room else frozenset()
        while rest and measure(rest) > room:
            cut = _cut(rest, room, measure, {at - len(paragraph) + len(rest) for at in closed})
            lines.append(rest[:cut].rstrip(" "))
            rest, room = rest[cut:].lstrip(" "), width
        lines.append(rest)
        first = 0
    return lines


def _cut(text: str, room: float, measure: Callable[[str], float], closed: Set[int]) -> int:
    """How many characters of ``text`` make the first line; at least one. A word wider than the line breaks, after a
    stroke if it has one."""
    low, high = 1, len(text)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) <= room else (low, middle - 1)
    open_places = [cut for cut in range(low, 0, -1) if _may_break(text[cut - 1], text[cut])]
    strokes = [cut for cut in range(low, 0, -1) if text[cut - 1] == "/"]
    return next((cut for cut in open_places if cut not in closed), [*open_places, *strokes, low][0])


def _may_break(before: str, after: str) -> bool:
    if after in NOT_FIRST or before in NOT_LAST:
        return False
    if after == "-" or (before in "-−" and after.isdigit()):  # a date stays whole, and a number with its sign
        return False
    return not (_is_latin(before) and _is_latin(after))


def _is_latin(character: str) -> bool:
    return character.isascii() and not character.isspace() and character not in "_-·"
