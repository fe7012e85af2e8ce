"""A warehouse reckoned a second time, from what was staged to the last score, and where the two disagree.

Compared is every row and column of the facts, of every indicator and of every score, but for: names, and rows of files,
by which a number is traced; which rule set a limit; anomalies and lost versions; callers whose key was rotated.
"""

from functools import cache

from minhu.schemes import load_scheme
from minhu.settings import Settings
from tests.oracle import decided, entered, facts, scores, staged
from tests.oracle.lifecycle import City
from tests.oracle.register import Register

INDICATOR = (
    "scheme_version", "numerator", "denominator", "is_external_denominator", "value", "target", "points_max", "points",
    "wilson_low", "wilson_high", "funnel_flag", "shrunken_value",
)  # fmt: skip
SCORE = (
    "scheme_version", "peer_group", "raw_points", "score_100", "assessed_points", "band", "rank_in_group",
    "not_ranked_reason", "listed_on",
)  # fmt: skip


class SecondPath:
    """Reads what senders told and people decided; every number of it is reckoned here."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.register = Register(settings.config)
        self.city = City(staged.read(settings), self.register)
        self.told = facts.told(settings)
        self.assignments = facts.identify(self.city, self.told["fct_timeliness"])
        facts.name_callbacks(self.city, self.told["fct_satisfaction"])
        acts = decided.read(settings)
        self.decided = decided.decided(self.city, acts, self.assignments)
        self.entered = entered.in_force(acts["manual_point"], acts["approval"])
        batches = facts.table(settings, "select * from audit.batch")
        self.last_day = max(batch["business_date"] for batch in batches if batch["status"] == "accepted")
        self.scoring = cache(self._scoring)

    def _scoring(self, scheme_id: str) -> scores.Scoring:
        scheme = self.register.schemes[scheme_id]
        return scores.Scoring(self.city, self.decided, self.entered, scheme, self.last_day)

    def facts(self) -> list[str]:
        """Every disagreement over the facts."""
        return facts.compare(self.city, self.decided, self.told, self.assignments)

    def scores(self, period: str, scheme_id: str) -> list[str]:
        """Every disagreement over the scores of a period, unit by unit and indicator by indicator."""
        of_indicator, of_unit = self.scoring(scheme_id).score(period)
        version = load_scheme(self.settings.config / "schemes" / f"{scheme_id}.yml").scheme_version
        found = []
        for name, keys, columns, oracle in (
            ("fct_unit_indicator", ("unit_code", "indicator_code"), INDICATOR, of_indicator),
            ("fct_unit_score", ("unit_code",), SCORE, {(unit,): row for unit, row in of_unit.items()}),
        ):
            warehouse = {
                tuple(row[key] for key in keys): {column: row[column] for column in columns}
                for row in facts.table(self.settings, f"select * from mart.{name}")
                if (row["scheme_id"], row["period"]) == (scheme_id, period)
            }
            for row in oracle.values():
                row["scheme_version"] = version
            found += [f"{scheme_id} {name} {line}" for line in facts.differences(warehouse, oracle)]
        return found
