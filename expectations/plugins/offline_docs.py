"""Data Docs for closed networks: pages that fetch nothing from elsewhere, and an index that needs no script.

Great Expectations' own templates take styles, scripts and a logo from five outside hosts, and its index is a table that
those scripts draw: in a closed network it is blank, in an open one every reader is reported to those hosts.
Great Expectations loads these classes by the names that great_expectations.yml gives.
"""

import html
import json
import re
from zoneinfo import ZoneInfo

from great_expectations.render.view import DefaultJinjaPageView

from minhu.business_date import TIMEZONE
from minhu.glossary.delivered import SEVERITY

_FETCHED = re.compile(
    r"<script[^>]*\ssrc=\"https?:[^>]*>\s*</script>"
    r"|<link[^>]*\shref=\"https?:[^>]*>"
    r"|<img[^>]*\ssrc=\"https?:[^>]*>"
    r"|<footer>.*?</footer>",
    re.DOTALL,
)
_FETCHED_BY_STYLE = re.compile(r"url\(\s*['\"]?https?:[^)]*\)")
_RUN = re.compile(r"((?:arrival|release)-\d+)(?:-(.+))?")
"""Of runs before this was told, the number alone."""
_LINKS_OUT = re.compile(r"<a[^>]*\shref=\"https?:[^>]*>(.*?)</a>", re.DOTALL)

_INDEX = """<!DOCTYPE html>
<html lang="zh">
<head><meta charset="UTF-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>数据质量门禁 · Quality gates</title><style>{style}</style></head>
<body><div class="container-fluid">
<h1>数据质量门禁 <small>Quality gates</small></h1>
<h2>检查结果 <small>Results, newest first</small></h2>
<table class="table">
<thead><tr><th>时间 Time</th><th>周期或业务日 Period or day</th><th>对象 Subject</th><th>结果 Result</th>
<th>运行 Run</th></tr></thead>
<tbody>{results}</tbody></table>
<h2>规则 <small>Rules</small></h2>
<ul>{suites}</ul>
</div></body></html>
"""


def without_fetches(page: str) -> str:
    """The page without anything a browser would fetch from another host; links out keep their words."""
    return _LINKS_OUT.sub(r"\1", _FETCHED_BY_STYLE.sub("none", _FETCHED.sub("", page)))


class OfflinePageView(DefaultJinjaPageView):
    def render(self, document, template=None, **kwargs) -> str:
        return without_fetches(super().render(document, template=template, **kwargs))


class IndexLinks:
    """Hands the links that the site builder collected to the view, each with the Chinese title of its suite."""

    def __init__(self, data_context):
        self._context = data_context

    def render(self, links: dict) -> dict:
        titles = {suite.name: suite.meta.get("title_zh", suite.name) for suite in self._context.suites.all()}
        return {
            "results": [
                {**link, "title": titles[link["expectation_suite_name"]], "failed": self._failed(link)}
                for link in links.get("validations_links", [])
            ],
            "suites": [
                {**link, "title": titles[link["expectation_suite_name"]]}
                for link in links.get("expectations_links", [])
            ],
        }

    def _failed(self, link: dict) -> dict[str, int]:
        """How many rules of each severity did not pass, the gravest first."""
        if link["validation_success"]:
            return {}
        place = (*link["expectation_suite_name"].split("."), *link["run_id"].to_tuple(), link["batch_identifier"])
        told = json.loads(self._context.validation_results_store.store_backend.get(place))
        failed = [one["expectation_config"]["meta"]["severity"] for one in told["results"] if not one["success"]]
        return {severity: failed.count(severity) for severity in SEVERITY if severity in failed}


class OfflineIndexView(DefaultJinjaPageView):
    def render(self, document, template=None, **kwargs) -> str:
        style = self.env.get_template("data_docs_custom_styles.css").render()
        return _INDEX.format(
            style=style,
            results="".join(_result_row(link) for link in document["results"]),
            suites="".join(f"<li>{_anchor(link, link['title'])}</li>" for link in document["suites"]),
        )


def _result_row(link: dict) -> str:
    result, shade = _told(link["failed"])
    run, about = _RUN.fullmatch(str(link["run_name"])).groups()
    judged = html.escape((about or "").replace("_", " … "))
    when = link["run_time"].astimezone(ZoneInfo(TIMEZONE)).strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"<tr><td>{when}</td><td>{judged}</td><td>{_anchor(link, link['title'])}</td>"
        f'<td class="{shade}">{result}</td><td>{html.escape(run)}</td></tr>'
    )


def _told(failed: dict[str, int]) -> tuple[str, str]:
    """The result in words, and how it is coloured: a warning lets the batch or the release through."""
    if not failed:
        return "通过 passed", "text-success"
    counts = "，".join(f"{SEVERITY.zh(severity)} {count} 条" for severity, count in failed.items())
    if "critical" in failed:
        return f"未通过：{counts} failed", "text-danger"
    return f"通过，另有{counts} passed, with remarks", "text-warning"


def _anchor(link: dict, text: str) -> str:
    return f'<a href="{html.escape(link["filepath"], quote=True)}">{html.escape(text)}</a>'
