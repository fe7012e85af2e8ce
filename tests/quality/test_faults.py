"""Faults planted into a simulated city: each is found by what ought to find it, and clean days are let in."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from bench.catalogue import CATALOGUE
from bench.faults import PAGE, City, Report, plant, render
from minhu.feeds import load_feeds
from minhu.quality import ROOT, read_rules
from minhu.settings import Settings

FEEDS = ("digital_chengguan", "district_linan", "h12315", "h12333", "h12345", "mhww_app", "power_95598")
SAMPLE = [fault for fault in CATALOGUE if fault.is_sample]


@pytest.fixture(scope="module")
def sample(scratch: Callable[..., Settings]) -> Report:
    settings = scratch()
    feeds = [feed for feed in load_feeds(settings.config) if feed.code in FEEDS]
    return plant(settings, City(cases_per_day=700, warm=25, clean=1), SAMPLE, feeds=feeds)


def test_the_catalogue_is_long_and_names_rules_that_there_are():
    assert len({fault.id for fault in CATALOGUE}) == len(CATALOGUE) >= 40
    rules = {rule.id for rule in read_rules(ROOT, "arrival")}
    assert {code for fault in CATALOGUE for code in fault.by if code.startswith("arrival.")} <= rules


@pytest.mark.parametrize("fault", SAMPLE, ids=lambda fault: fault.id)
def test_a_planted_fault_is_found(sample: Report, fault):
    found = next(found for found in sample.found if found.fault is fault)
    assert found.is_found, found
    assert {code for code, _ in found.by} & set(fault.by), found


def test_clean_days_are_let_in(sample: Report):
    assert sample.clean_batches > 0
    assert sample.false_critical == ()


def test_the_table_says_what_was_not_found(sample: Report):
    lost = replace(sample.found[0], outcome="nothing", by=())
    told = render(replace(sample, found=(lost,)), "x", date(2026, 11, 22))
    assert "**0 of 1**" in told and "not found 未发现" in told


def test_the_page_holds_the_table_of_this_catalogue():
    page = PAGE.read_text(encoding="utf-8")
    told = re.findall(r"^\| (.+?) \| \S+ \(\d+\) \|", page, re.MULTILINE)
    assert told == [f"{fault.title_zh} {fault.title}" for fault in CATALOGUE]


@pytest.mark.long
def test_every_critical_fault_of_the_catalogue_is_found(scratch: Callable[..., Settings]):
    report = plant(scratch(), City(cases_per_day=3_000, warm=35, clean=3))
    assert [found for found in report.missed if found.fault.is_critical] == []
    assert report.false_critical == ()
