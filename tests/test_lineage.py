"""How lineage events leave: to a file, to a URL, or not at all; and what a failure tells."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from minhu import lineage
from minhu.errors import Refused
from minhu.settings import Settings
from tests.lineage import told, valid


@pytest.fixture
def settings(tmp_path):
    return Settings.from_env(
        {"MINHU_HOME": str(tmp_path), "MINHU_LINEAGE": f"file://{tmp_path / 'out' / 'events.jsonl'}"}
    )


def on_disk(settings):
    return told(replace(settings, lineage=settings.lineage.removeprefix("file://")))


def test_off_unless_asked_for(tmp_path):
    with lineage.job(Settings.from_env({"MINHU_HOME": str(tmp_path)}), "build") as run:
        run.writes("mart.fct_case", 1)
    assert not run.is_on and list(tmp_path.iterdir()) == []


def test_a_failure_of_ours_tells_why_and_any_other_its_kind_alone(settings):
    for error in (Refused("h1/cases: no such column"), ValueError("13812345678")):
        with pytest.raises(type(error)), lineage.job(settings, "load.h1.cases"):
            raise error
    ours, other = (
        event["run"]["facets"]["errorMessage"] for event in on_disk(settings) if event["eventType"] == "FAIL"
    )
    assert (ours["message"], other["message"]) == ("h1/cases: no such column", "ValueError")


def test_to_a_url_and_an_answer_that_refuses_stops_nothing(settings, caplog):
    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201 if len(got) < 3 else 500)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://me:secret@127.0.0.1:{server.server_port}/api/v1/lineage"
        for _ in range(2):
            with lineage.job(replace(settings, lineage=url, lineage_namespace="test"), "build") as run:
                run.reads("batch/1")
        server.shutdown()
    with lineage.job(replace(settings, lineage=url), "build"):
        pass  # nobody listens any more
    assert [valid(event)["eventType"] for event in got] == ["START", "COMPLETE"] * 2
    assert got[1]["inputs"] == [{"namespace": "test", "name": "batch/1"}]
    assert len(caplog.records) == 4 and "secret" not in caplog.text
