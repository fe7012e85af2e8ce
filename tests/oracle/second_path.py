"""A warehouse reckoned a second time, from what was staged to the last score, and where the two disagree.

Compared is every row and column of the facts, and every indicator and score, but for: what a case repeats; the
aggregates mean, median, p90, sum, share and per_10k; weighed answers and those asked again; manual points; the least
number of rows, lists, sums before rounding, years as means; funnel flags and shrunken rates; source rows; anomalies and
lost versions.
"""

from minhu.settings import Settings
from tests.oracle import decisions, facts, scores, staged
from tests.oracle.lifecycle import City
from tests.oracle.register import Register


class SecondPath:
    """Reads what senders told and people decided; every number of it is reckoned here."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.register = Register(settings.config)
        self.city = City(staged.read(settings), self.register)
        self.told = facts.told(settings)
        self.assignments = facts.identify(self.city, self.told["fct_timeliness"])
        self.decided = decisions.decided(self.city, decisions.read(settings), self.assignments)

    def facts(self) -> list[str]:
        """Every disagreement over the facts."""
        return facts.compare(self.city, self.decided, self.told, self.assignments)

    def scores(self, period: str, scheme_id: str) -> list[str]:
        """Every disagreement over the scores of a period, unit by unit and indicator by indicator."""
        batches = facts.table(self.settings, "select * from audit.batch")
        last_day = max(batch["business_date"] for batch in batches if batch["status"] == "accepted")
        of_indicator, of_unit = scores.score(
            self.city, self.decided, self.register.schemes[scheme_id], scores.Span.of(period, last_day)
        )
        found = []
        for name, keys, columns, oracle in (
            ("fct_unit_indicator", ("unit_code", "indicator_code"), facts.INDICATOR, of_indicator),
            ("fct_unit_score", ("unit_code",), facts.SCORE, {(unit,): row for unit, row in of_unit.items()}),
        ):
            warehouse = {
                tuple(row[key] for key in keys): {column: row[column] for column in columns}
                for row in facts.table(self.settings, f"select * from mart.{name}")
                if (row["scheme_id"], row["period"]) == (scheme_id, period)
            }
            found += [f"{scheme_id} {name} {line}" for line in facts.differences(warehouse, oracle)]
        return found
