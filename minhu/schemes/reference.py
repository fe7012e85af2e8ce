"""What a value is held against: the arithmetic of comparisons. Pure, in fractions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from minhu.schemes.counts import Given
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.relative import Compared


@dataclass(frozen=True)
class Reference:
    """``number``: what a value is compared with. ``others``: the values of the group's other units, where the unit's
    place among them is read. ``fixed``: what was read, where that alone is known."""

    number: Fraction | None = None
    others: tuple[Fraction, ...] = ()
    fixed: Fraction | None = None

    def read(self, compared: Compared, value: Fraction) -> Fraction | None:
        """What a rule reads of a value; None where it cannot be told, as how much more than nothing something is."""
        if self.fixed is not None:
            return self.fixed
        if compared.to == "group_rank":
            return self._place(compared, value)
        if self.number is None:
            return None
        if compared.told == "difference":
            return value - self.number
        if not self.number:
            return None
        share = 100 * value / self.number
        return share if compared.told == "ratio" else share - 100

    def _place(self, compared: Compared, value: Fraction) -> Fraction:
        sign = 1 if compared.better == "higher" else -1
        better = [one for one in self.others if sign * one > sign * value]
        if compared.ties == "dense":
            return Fraction(1 + len(set(better)))
        equal = sum(one == value for one in self.others) if compared.ties == "last" else 0
        return Fraction(1 + len(better) + equal)


def of_group(line: Line, members: Mapping[str, tuple[Fraction, Given]]) -> dict[str, Reference]:
    """By unit what its value is held against, made by the members of its peer group with their values and counts; none
    where they are too few."""
    compared = line.compared
    if compared is None or len(members) < compared.fewest:
        return {}
    values = {unit: value for unit, (value, _) in members.items()}
    if compared.to == "group_rank":
        return {
            unit: Reference(others=tuple(value for other, value in values.items() if other != unit)) for unit in values
        }
    match compared.to:
        case "group_mean":
            number = sum(values.values(), Fraction()) / len(values)
        case "group_median":
            number = _median(values.values())
        case "group_best":
            number = max(values.values()) if compared.better == "higher" else min(values.values())
        case _:
            above, below = (
                sum((getattr(given, name) or Fraction() for _, given in members.values()), Fraction())
                for name in ("numerator", "denominator")
            )
            if not below:
                return {}
            number = line.scale * above / below
    return dict.fromkeys(values, Reference(number=number))


def _median(values: Iterable[Fraction]) -> Fraction:
    """The middle one; of two middle ones their mean."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
