"""A warehouse with registers, and the project of the rules to break."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from minhu import database, quality
from minhu.settings import Settings
from tests.quality.planted import EMPTY, Given


@pytest.fixture(scope="module")
def settings(warehouse: Settings) -> Settings:
    with database.connect(warehouse) as connection:
        connection.execute("insert into config.version (city, sha256) values ('testcity', 'x')")
        connection.execute(
            "insert into config.entry (kind, key, data, since_version)"
            " values ('feed', 'h1', '{}', 1), "
            "('category', '0101', '{}', 1), ('category', '0102', '{}', 1), ('category', '0103', '{}', 1),"
            " ('area', '330102', '{}', 1), "
            """('unit_name', '城管局', '{"spans": [{"unit_code": "U1"}]}', 1)"""
        )
    return warehouse


@pytest.fixture(scope="module")
def given(settings: Settings) -> Given:
    return Given(settings)


@pytest.fixture
def empty(given: Given) -> None:
    given.sql(EMPTY)


@pytest.fixture
def suites(tmp_path: Path) -> Callable[[str, Callable[[dict], None]], Path]:
    """Copies the project and lets a test break one of its suites."""

    def broken(name: str, change: Callable[[dict], None]) -> Path:
        root = tmp_path / "expectations"
        shutil.copytree(quality.ROOT, root)
        path = root / "suites" / f"{name}.json"
        suite = json.loads(path.read_text(encoding="utf-8"))
        change(suite)
        path.write_text(json.dumps(suite), encoding="utf-8")
        return root

    return broken
