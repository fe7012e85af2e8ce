"""Data Docs for closed networks: pages that fetch nothing from elsewhere, and an index that needs no script.

Great Expectations' own templates take styles, scripts and a logo from five outside hosts, and its index is a table that
those scripts draw: in a closed network it is blank, in an open one every reader is reported to those hosts.
Great Expectations loads these classes by the names that great_expectations.yml gives.
"""

import html
import re
from zoneinfo import ZoneInfo

from great_expectations.render.view import DefaultJinjaPageView

from minhu.business_date import TIMEZONE

_FETCHED = re.compile(
    r"<script[^>]*\ssrc=\"https?:[^>]*>\s*</script>"
    r"|<link[^>]*\shref=\"https?:[^>]*>"
    r"|<img[^>]*\ssrc=\"https?:[^>]*>"
    r"|<footer>.*?</footer>",
    re.DOTALL,
)
_FETCHED_BY_STYLE = re.compile(r"url\(\s*['\"]?https?:[^)]*\)")
_LINKS_OUT = re.compile(r"<a[^>]*\shref=\"https?:[^>]*>(.*?)</a>", re.DOTALL)

_INDEX = """<!DOCTYPE html>
<html lang="zh">
<head><meta charset="UTF-8"><title>数据质量门禁 · Quality gates</title><style>{style}</style></head>
<body><div class="container-fluid">
<h1>数据质量门禁 <small>Quality gates</small></h1>
<h2>检查结果 <small>Results, newest first</small></h2>
<table class="table">
<thead><tr><th>时间 Time</th><th>运行 Run</th><th>对象 Subject</th><th>结果 Result</th></tr></thead>
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
                {**link, "title": titles[link["expectation_suite_name"]]} for link in links["validations_links"]
            ]
            if links.get("validations_links")
            else [],
            "suites": [
                {**link, "title": titles[link["expectation_suite_name"]]}
                for link in links.get("expectations_links", [])
            ],
        }


class OfflineIndexView(DefaultJinjaPageView):
    def render(self, document, template=None, **kwargs) -> str:
        style = self.env.get_template("data_docs_custom_styles.css").render()
        return _INDEX.format(
            style=style,
            results="".join(_result_row(link) for link in document["results"]),
            suites="".join(f"<li>{_anchor(link, link['title'])}</li>" for link in document["suites"]),
        )


def _result_row(link: dict) -> str:
    passed = "通过 passed" if link["validation_success"] else "有未通过 rules failed"
    shade = "text-success" if link["validation_success"] else "text-danger"
    when = link["run_time"].astimezone(ZoneInfo(TIMEZONE)).strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"<tr><td>{when}</td><td>{html.escape(str(link['run_name']))}</td><td>{_anchor(link, link['title'])}</td>"
        f'<td class="{shade}">{passed}</td></tr>'
    )


def _anchor(link: dict, text: str) -> str:
    return f'<a href="{html.escape(link["filepath"], quote=True)}">{html.escape(text)}</a>'
