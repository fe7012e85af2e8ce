"""Declared sources: strict, without secrets, and as the documentation shows them."""

import re
import subprocess
import sys
from typing import get_args

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from minhu.errors import Refused
from minhu.feeds.sources import Source
from minhu.feeds.sources.secrets import secret
from minhu.settings import PROJECT_ROOT

KINDS = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(Source)[0])}
REST = {"type": "rest", "url": "https://example.org/cases"}
SFTP = {
    "type": "sftp",
    "host": "example.org",
    "user": "loader",
    "auth": {"type": "password", "secret": "h1"},
    "host_key": "SHA256:abc",
    "path": "{date}.csv",
}
OBJECT = {"type": "object", "url": "s3://bucket/cases_{date}.csv"}
SQL = {"type": "sql", "url": "postgresql://reader@example.org/base", "secret": "h1", "query": "select 1"}


def parse(declared: dict):
    return TypeAdapter(Source).validate_python(declared)


def examples() -> list[dict]:
    text = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block)["source"] for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_every_example_of_the_documentation_is_a_declaration_and_every_kind_has_one():
    assert {parse(example).type for example in examples()} == KINDS and len(KINDS) > 6


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (REST | {"url": "https://u:p@example.org/"}, "name the secret"),
        (REST | {"url": "https://example.org/?key=1"}, "declare `params`"),
        (REST | {"url": "ftp://example.org/"}, "http://"),
        (REST | {"headers": {"Authorization": "Bearer x"}}, "name the secret"),
        (REST | {"password": "x"}, "Extra inputs"),
        (REST | {"format": "xml"}, "element that holds one record"),
        (REST | {"cursor": {"param": "a", "field": "b", "lag": 1}}, "lag_minutes"),
        (SFTP | {"path": "cases.csv"}, "{date}"),
        (SFTP | {"host_key": "yes"}, "pattern"),
        (OBJECT | {"url": "s3://bucket/cases.csv"}, "{date}"),
        (OBJECT | {"url": "bucket/{date}.csv"}, "pattern"),
        (OBJECT | {"url": "ftp://user:pw@example.org/{date}.csv"}, "name it with `secrets`"),
        (OBJECT | {"url": "zip://x.csv::s3://bucket/{date}.zip"}, "not a chain"),
        (OBJECT | {"options": {"secret": "x"}}, "name it with `secrets`"),
        (OBJECT | {"options": {"client_kwargs": {"aws_session_token": "x"}}}, "no aws_session_token"),
        (OBJECT | {"options": {"key": "x"}, "secrets": {"key": "h1"}}, "given twice"),
        (SQL | {"url": "postgresql://reader:pw@example.org/base"}, "no password"),
        (SQL | {"query": "delete from cases"}, "pattern"),
        (SQL | {"query": "select 1 where 1 > :cursor", "cursor": {"field": "id"}}, "cursor.initial"),
        ({"type": "sql", "query": "select 1"}, "give `url`"),
        ({"type": "pigeon"}, "does not match any of the expected tags"),
    ],
)
def test_a_slip_is_refused(declared, told):
    with pytest.raises(ValidationError) as refusal:
        parse(declared)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINHU_SECRET_H1", "p@ss"),
        ("AIRFLOW_CONN_H1", "http://user:p%40ss@example.org"),
        ("AIRFLOW_CONN_H1", '{"conn_type": "http", "password": "p@ss"}'),
    ],
)
def test_a_secret_comes_from_the_environment(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert secret("h1") == "p@ss"


@pytest.mark.parametrize("value", ["", "http://example.org", '{"conn_type": "http"}', "{broken: p@ss"])
def test_a_missing_secret_names_its_variable(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_H1", value)
    with pytest.raises(Refused, match="MINHU_SECRET_H1") as refusal:
        secret("h1")
    assert "p@ss" not in str(refusal.value)


def test_reading_declarations_imports_nothing_heavy():
    heavy = "{'httpx', 'asyncssh', 'fsspec', 'sqlalchemy', 'lxml', 'polars'}"
    program = f"import sys, minhu.feeds.sources.fetch; print(sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"
