"""A city with facts, and people with logins of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from minhu import assess, cli, database
from minhu.database import logins as login_roles
from minhu.scoring import score
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests.given import csv_file
from tests.scenarios import city as scenarios
from tests.scoring.city import GIVEN, City, fill

INDICATORS = """  - code: sign_on_time
    name_zh: 及时签收率
    measure: sign_on_time
    moment: due_at
    points: 20
    scoring: {function: linear_deduction, target: 95, per_point: 1}
  - {code: late, name_zh: 逾期处置, measure: violation_late_handling, moment: occurred_at, aggregate: count, points: 0,
     scoring: {function: per_item_deduction, per_item: 5, cap: 20}}
  - {code: reply_quality, name_zh: 答复规范, points: 10, scoring: {function: manual, entry: change}}
limits:"""
FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation", "fct_exclusion")
WHY = {"reason_code": "mis_dispatched", "reason": "核实为错派"}


PEOPLE = {
    "ping": "evaluator",
    "gu": "evaluator",
    "zhao": "evaluator",
    "shen": "auditor",
    "bao": "bi",
    "d1": "unit",
    "d6": "unit",
}
UNITS = {"d1": "D1", "d6": "D6"}


@pytest.fixture(scope="module")
def people() -> Callable[[Settings], dict[str, Settings]]:
    """``people(city, units)``: the city as each of PEOPLE reaches it, and as its owner. Logins belong to the server."""
    made = []

    def make(city: Settings, units: dict[str, str] = UNITS) -> dict[str, Settings]:
        reached = {"owner": city}
        with database.connect(city, autocommit=True) as owner:
            for name, group in PEOPLE.items():
                if group == "unit" and name not in units:
                    continue
                login = f"t{len(made)}_{name}"
                password = login_roles.add_login(owner, login, group, unit=units.get(name))
                reached[name] = scenarios.reached_as(city, login, password)
                made.append((city, login))
        return reached

    yield make
    for city, login in made:
        with database.connect(city, autocommit=True) as owner:
            login_roles.drop_login(owner, login)


@pytest.fixture(scope="module")
def city(either, tmp_path_factory) -> Settings:
    """The facts of the scoring city, and a scheme that takes points by hand."""
    scheme = tmp_path_factory.mktemp("scheme") / "exam.yml"
    by_hand = (
        "  - {code: reply_quality, name_zh: 答复规范, points: 10, scoring: {function: manual, entry: change}}\nlimits:"
    )
    scheme.write_text((GIVEN / "exam.yml").read_text(encoding="utf-8").replace("limits:", by_hand, 1), encoding="utf-8")
    with City(either) as hand_made:
        hand_made.run("delete from config.entry")
        hand_made.scheme(scheme)
        fill(hand_made)
    return either


@pytest.fixture(scope="module")
def logins(city, people) -> dict[str, Settings]:
    return people(city)


@dataclass
class World:
    city: Settings
    people: dict[str, Settings]

    def rows(self, text: str, *parameters: object) -> list[tuple]:
        with database.connect(self.city) as connection:
            return connection.execute(text, parameters).fetchall()

    def facts(self) -> dict[str, list[str]]:
        return {
            table: [row for (row,) in self.rows(f"select f::text from mart.{table} as f order by 1")] for table in FACTS
        }

    def counts(self, unit: str = "U1") -> dict[str, str]:
        """numerator/denominator of each indicator of a unit, after scoring October."""
        score(self.city, "2026-10")
        found = self.rows(
            "select indicator_code, numerator, denominator from mart.fct_unit_indicator where unit_code = %s", unit
        )
        return {code: f"{numerator:f}/{denominator:f}" for code, numerator, denominator in found}

    def excluded(self) -> set[tuple]:
        """Rows of the score that count 0 of 0, with the reason: (case, indicator, reason)."""
        return set(
            self.rows(
                "select cases.case_no, rows.indicator_code, rows.excluded_reason from mart.fct_indicator_case as rows"
                " join mart.fct_case as cases using (case_id) where rows.excluded_reason is not null"
                " and rows.numerator_value = 0 and rows.denominator_value = 0"
            )
        )

    def assignment(self, number: int, unit: str = "U1") -> str:
        return self.rows(
            "select assignment_id from mart.fct_timeliness where case_id = %s and unit_code = %s",
            assess.case_id("h12345", str(number)),
            unit,
        )[0][0]

    def decide(self, who: str, act: str, number: int | None = None, **given: object) -> int:
        """What ``who`` decides about case ``number``, confirmed by another person where that takes two."""
        about = {"feed_code": "h12345", "case_no": str(number)} if number else {}
        made = assess.record(self.people[who], act, **about, **given)
        if act not in ("enter_manual_point", "revoke_manual_point"):
            scenarios.confirm(self.people["zhao"])
        return made

    def appeal(self, number: int, decision: str, **given: object) -> int:
        filed = self.decide(
            "d1", "file_appeal", number, period="2026-10", grounds_code="mis_dispatched", statement="非本单位职责",
            evidence_ref="2026-17", **given,
        )  # fmt: skip
        self.decide("ping", "decide_appeal", appeal_id=filed, decision=decision, **WHY)
        return filed

    def cli(self, who: str, *arguments: str) -> str:
        """What a command prints; what it refuses is raised."""
        told = CliRunner().invoke(cli.minhu, arguments, env=self.environment(who), catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.output

    def environment(self, who: str) -> dict[str, str]:
        settings = self.people[who]
        return {
            "MINHU_HOME": str(settings.home),
            "MINHU_CONFIG": str(settings.config),
            "MINHU_DATABASE_URL": settings.database_url,
        }


@pytest.fixture(scope="module")
def make_world(built, copied, people) -> Callable[[], World]:
    """Makes a city with six late cases of 城管局 (U1); ``d1`` speaks for U1."""

    def make() -> World:
        city = copied(built)
        return World(city, people(city, {"d1": "U1"}))

    return make


@pytest.fixture(scope="session")
def built(scratch, tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("world")
    city = scratch(_configuration(folder))
    _deliver(folder / "given")
    scenarios.load(city, folder / "given")
    build(city)
    return city


def _configuration(folder: Path) -> Path:
    config = scenarios.configuration(folder / "config")
    scheme = config / "schemes" / "scenarios.yml"
    scheme.write_text(scheme.read_text(encoding="utf-8").replace("limits:", INDICATORS, 1), encoding="utf-8")
    (config / "city.yml").write_text(
        "code: testcity\nname: 测试市\nappeals: [{valid_from: 2020-01-01, appeal_decide_workdays: 5}]\n",
        encoding="utf-8",
    )
    return config


def _deliver(folder: Path) -> None:
    numbers = range(1, 7)
    steps = {"派单": "2026-10-12 09:00:00", "签收": "2026-10-12 10:00:00", "办结": "2026-10-20 10:00:00"}
    csv_file(
        folder / "1_h12345_cases.csv",
        [{"工单编号": number, "受理时间": "2026-10-12 08:30:00"} for number in numbers],
    )
    csv_file(
        folder / "1_h12345_events.csv",
        [
            {"工单编号": number, "环节": step, "时间": at, "单位": "城管局"}
            for number in numbers
            for step, at in steps.items()
        ],
    )
    csv_file(folder / "20_h12345_cases.csv", [{"工单编号": 99, "受理时间": "2026-10-31 08:30:00"}])
