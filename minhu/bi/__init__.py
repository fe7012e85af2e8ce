"""The marts as BI tools are given them: datasets, metrics, charts and boards, said once and written for each tool.

metrics (from the measures' own words) → content (what is shown) → superset (a bundle) · semantic (a dbt package)
                                                  └→ asked (the SQL of a chart, without the tool)
"""

from minhu.bi.content import BOARDS, CHARTS, DATASETS

__all__ = ["BOARDS", "CHARTS", "DATASETS"]
