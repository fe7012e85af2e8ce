"""Small cells: counts of so few cases that somebody who knows of one could tell which it is.

A count from 1 to 4 is small. Where only one cell of a table is withheld, the sum of all would tell it: the cell with
the next fewest cases goes with it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

SMALL = 5
Number = int | Decimal
Key = TypeVar("Key", str, int)


def is_small(counts: Sequence[Number]) -> bool:
    return any(0 < count < SMALL for count in counts)


def hidden(cells: Mapping[Key, Sequence[Number]]) -> set[Key]:
    """The cells of one table to withhold. Each has its counts: first the cases behind it, then the parts it tells."""
    withheld = {key for key, counts in cells.items() if is_small(counts)}
    if len(withheld) == 1:
        others = sorted((counts[0], key) for key, counts in cells.items() if key not in withheld and counts[0])
        withheld |= {key for _, key in others[:1]}
    return withheld
