"""What a unit's name means on a day, by the register's dated rows and the reorganisations."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minhu.config import read_config
from minhu.config.unit_names import FOREVER, Claim, Meaning, Register, Succession
from minhu.errors import BadDeclaration
from tests import given as small

HEAD = "unit_code,unit_name,unit_kind,peer_group,aliases,valid_from,valid_to\n"
SUCCESSIONS = "old_unit_code,new_unit_code,succession_kind,effective_on\n"
UNITS = {
    "A": [(date(2010, 1, 1), date(2019, 1, 1))],
    "B": [(date(2010, 1, 1), date(2019, 1, 1))],
    "C": [(date(2019, 1, 1), date(2025, 6, 1))],
    "D": [(date(2025, 6, 1), FOREVER)],
    "E": [(date(2025, 6, 1), FOREVER)],
    "F": [(date(2010, 1, 1), date(2015, 1, 1))],
    "G": [(date(2015, 1, 1), date(2019, 1, 1)), (date(2020, 1, 1), FOREVER)],
    "H": [(date(2025, 1, 1), FOREVER)],
}
REGISTER = Register(
    UNITS,
    [
        Succession("A", "C", date(2019, 1, 1)),
        Succession("B", "C", date(2019, 1, 1)),
        Succession("C", "D", date(2025, 6, 1)),
        Succession("C", "E", date(2025, 6, 1)),
        Succession("F", "G", date(2015, 1, 1)),
        Succession("G", "H", date(2025, 1, 1)),  # a part split off; the unit lives on
    ],
)


@pytest.mark.parametrize(
    ("unit", "day", "leads_to", "may_be", "resolution"),
    [
        ("A", "2018-12-31", "A", "A", "register"),
        ("A", "2019-01-01", "C", "C", "successor"),
        ("A", "2025-06-01", None, "DE", "ended_split"),  # merged, and that unit split
        ("C", "2025-05-31", "C", "C", "register"),
        ("C", "2025-06-01", None, "DE", "ended_split"),
        ("C", "2018-12-31", "C", "CAB", "before_merger"),
        ("D", "2025-05-31", "C", "C", "predecessor"),
        ("D", "2018-12-31", "D", "DAB", "before_merger"),
        ("F", "2015-01-01", "G", "G", "successor"),
        ("G", "2014-12-31", "F", "F", "predecessor"),
        ("G", "2019-06-01", None, "", "ended"),  # nobody took over until it was founded anew
        ("G", "2025-01-01", "G", "G", "register"),
        ("H", "2024-12-31", "G", "G", "predecessor"),
    ],
)
def test_a_unit_that_ended_or_has_not_begun_is_followed(unit, day, leads_to, may_be, resolution):
    claims = [Claim(unit, since, until, 2) for since, until in UNITS[unit]]
    assert REGISTER.meaning(claims, date.fromisoformat(day)) == Meaning(leads_to, tuple(may_be), resolution)


def test_before_the_register_begins_a_name_means_nothing():
    assert REGISTER.meaning([Claim("A", *UNITS["A"][0], 2)], date(2009, 12, 31)) is None


def test_a_name_that_moved_means_each_unit_in_its_time():
    claims = [Claim("G", date(2021, 1, 1), date(2026, 7, 1), 2), Claim("D", date(2026, 7, 1), FOREVER, 3)]
    told = {day: REGISTER.meaning(claims, day).unit_code for day in (date(2026, 6, 30), date(2026, 7, 1))}
    assert list(told.values()) == ["G", "D"]
    assert REGISTER.meaning(claims, date(2020, 5, 1)) == Meaning("G", ("G",), "other_years")


def test_successions_that_run_in_a_ring_end():
    ring = Register(
        {"A": [(date(2010, 1, 1), date(2011, 1, 1))], "B": [(date(2011, 1, 1), date(2012, 1, 1))]},
        [Succession("A", "B", date(2011, 1, 1)), Succession("B", "A", date(2012, 1, 1))],
    )
    assert ring.meaning([Claim("A", date(2010, 1, 1), date(2011, 1, 1), 2)], date(2013, 1, 1)) == Meaning(
        None, (), "ended"
    )


FIRST = date(2026, 1, 1)
DAYS = st.integers(0, 40).map(lambda number: FIRST + timedelta(days=number))


@st.composite
def registers(draw):
    """Units with up to two periods, and successions between any of them on any day."""
    units = {}
    for code in "ABCDEF"[: draw(st.integers(1, 6))]:
        days = sorted(draw(st.sets(DAYS, min_size=2, max_size=4)))
        bounds = [*days[: len(days) // 2 * 2]]
        units[code] = list(zip(bounds[::2], bounds[1::2], strict=True))
        if draw(st.booleans()):
            units[code][-1] = (units[code][-1][0], FOREVER)
    codes = st.sampled_from(sorted(units))
    pairs = draw(st.lists(st.tuples(codes, codes, DAYS), max_size=6))
    return units, [Succession(*pair) for pair in pairs if pair[0] != pair[1]]


@given(registers())
def test_a_history_says_what_each_day_says_and_leads_to_units_that_exist(drawn):
    units, successions = drawn
    register = Register(units, successions)
    for code, periods in units.items():
        claims = [Claim(code, since, until, 2) for since, until in periods]
        spans = register.history(claims)
        for number in range(-2, 44):
            day = FIRST + timedelta(days=number)
            held = [span for span in spans if (span["valid_from"] or "") <= str(day) < (span["valid_to"] or "9999")]
            meaning = register.meaning(claims, day)
            if meaning is None:
                assert held == []
                continue
            [span] = held
            assert (span["unit_code"], span["resolution"]) == (meaning.unit_code, meaning.resolution)
            assert span["unit_codes"] == ";".join(meaning.unit_codes)
            exists = any(since <= day < until for since, until in units.get(meaning.unit_code, ()))
            assert exists == (meaning.resolution not in ("before_merger", "ended_split", "ended"))
            assert (meaning.unit_code is None) == (meaning.resolution in ("ended_split", "ended"))


def config_of(tmp_path, rows, successions=""):
    units = HEAD + "".join(f"{row}\n" for row in rows)
    return read_config(small.config(tmp_path, units=units, unit_succession=SUCCESSIONS + successions))


def test_an_alias_holds_as_long_as_its_row_or_as_it_says(tmp_path):
    rows = [
        "A,甲局,department,g,河道办@..2026-07-01;老甲,2020-01-01,2027-01-01",
        "A,新甲局,department,g,,2027-01-01,",
        "B,乙局,department,g,河道办@2026-07-01..,2020-01-01,",
    ]
    entries = config_of(tmp_path, rows)
    spans = entries["unit_name", "河道办"]["spans"]
    assert [(span["unit_code"], span["valid_from"], span["valid_to"]) for span in spans] == [
        ("A", "2020-01-01", "2026-07-01"),
        ("B", "2026-07-01", None),
    ]
    [own, later] = entries["unit_name", "老甲"]["spans"]
    assert (own["resolution"], later["resolution"], later["unit_code"]) == ("register", "other_years", "A")
    assert "河道办@..2026-07-01" not in {key for _, key in entries}


@pytest.mark.parametrize(
    ("rows", "successions", "told"),
    [
        (
            ["A,甲局,d,g,河道办,2020-01-01,2026-07-01", "B,乙局,d,g,河道办,2026-06-01,"],
            "",
            r":3: '河道办' names both A \(line 2\) and B, from 2026-06-01 to before 2026-07-01; .*河道办@2026-06-01..`",
        ),
        (["A,甲局,d,g,,2020-01-01,", "B,甲局,d,g,,2020-01-01,"], "", r"'甲局' names both A .* from 2020-01-01 on"),
        (["A,甲局,d,g,,2020-01-01,", "B,乙局,d,g,A,2020-01-01,"], "", r"'A' names both A"),
        (["A,甲局,d,g,,2020-01-01,", "A,甲局,d,g,,2026-01-01,"], "", r":3: A has another row from 2020-01-01"),
        (["A,甲局,d,g,,2020-01-01,2020-01-01"], "", r":2: valid_to: 2020-01-01 is not after"),
        (["A,甲局,d,g,河道办@2026-07-01,2020-01-01,"], "", r":2: aliases: '河道办@2026-07-01' reads neither"),
        (["A,甲局,d,g,河道办@七月..,2020-01-01,"], "", r"'河道办@七月..' reads neither"),
        (["A,甲局,d,g,河道办@..2019-01-01,2020-01-01,"], "", r"holds on no day of this row"),
        (
            ["A,甲局,d,g,,2020-01-01,2026-01-01", "B,乙局,d,g,,2026-01-01,"],
            "A,B,split,2026-01-01\n",
            r"unit_succession.csv:2: A ended and was split into one unit",
        ),
    ],
)
def test_a_register_in_which_a_name_leads_two_ways_is_refused(tmp_path, rows, successions, told):
    with pytest.raises(BadDeclaration, match=told):
        config_of(tmp_path, rows, successions)
