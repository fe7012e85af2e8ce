"""A score where it stands: the newest of a period in ``mart``, or what was published. The same columns, one reader."""

from dataclasses import dataclass, field

from minhu.scoring.score import OF_RUN, Run


@dataclass(frozen=True)
class Stored:
    """The tables that hold a score, and the ``condition`` that names its rows in each, filled in by ``key``.

    ``entries``: the points entered by hand that it rests on.
    """

    run: Run
    scores: str
    indicators: str
    evidence: str
    entries: str
    condition: str
    key: dict[str, object] = field(hash=False)
    revision: int | None = None
    """Of what is published; None of the newest score."""
    numbers: str | None = None
    """Where its rows have numbers (明细号); None of the newest score, whose rows have none."""

    @classmethod
    def newest(cls, run: Run) -> "Stored":
        """The score of a run, in ``mart``."""
        return cls.of_schema(run, run.key, "mart")

    @classmethod
    def of_schema(cls, run: Run, key: dict[str, object], schema: str) -> "Stored":
        """The rows under ``key`` in a schema that has the tables of ``mart``."""
        return cls(
            run,
            scores=f"{schema}.fct_unit_score",
            indicators=f"{schema}.fct_unit_indicator",
            evidence=f"{schema}.fct_evidence",
            entries="assess.manual_point_in_force",
            condition=OF_RUN,
            key=key,
        )

    def sql(self, query: str) -> str:
        """``query`` with the tables and the condition put in by name."""
        return query.format(
            scores=self.scores,
            indicators=self.indicators,
            evidence=self.evidence,
            entries=self.entries,
            condition=self.condition,
            numbers=self.numbers,
        )
