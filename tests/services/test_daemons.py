"""Background programs: found again, stopped with everything they forked, never mistaken for a stranger."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from minhu.services import daemons
from minhu.services.daemons import Daemon

FORKING = ["/bin/sh", "-c", "sleep 300 & sleep 300 & wait"]
DEAF = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon("program", tmp_path, tmp_path / "logs" / "program.log")
    yield made
    daemons.stop([made], at_once=True)


def test_a_daemon_has_a_session_of_its_own_and_is_found_by_a_later_command(daemon: Daemon):
    assert not daemon.is_alive
    daemon.start(FORKING, dict(os.environ))
    again = Daemon(daemon.name, daemon.folder, daemon.log)
    assert again.is_well
    assert again.session not in (os.getsid(0), None)
    assert len(eventually(lambda: len(again.processes()) == 3 and again.processes())) == 3


def test_stopping_ends_what_it_forked_too(daemon: Daemon):
    daemon.start(FORKING, dict(os.environ))
    members = eventually(lambda: len(daemon.processes()) == 3 and daemon.processes())
    assert daemons.stop([daemon]) == ["program"]
    assert not daemon.is_alive
    assert not [process for process in members if is_running(process)]
    assert daemons.stop([daemon]) == []


def test_orphans_of_a_killed_daemon_are_seen_and_ended(daemon: Daemon):
    daemon.start(FORKING, dict(os.environ))
    eventually(lambda: len(daemon.processes()) == 3)
    os.kill(daemon.session, signal.SIGKILL)
    eventually(lambda: not daemon.is_well)
    assert daemon.is_alive
    assert daemons.stop([daemon], at_once=True) == ["program"]
    assert not daemon.is_alive


def test_one_that_does_not_listen_is_made_to_end(daemon: Daemon):
    daemon.start(DEAF, dict(os.environ))
    time.sleep(0.2)  # until it has stopped its ears
    started = time.monotonic()
    assert daemons.stop([replace(daemon, patience=0.5)]) == ["program"]
    assert not daemon.is_alive
    assert time.monotonic() - started < 3


def test_a_stale_pid_file_that_names_somebody_else_harms_nobody(daemon: Daemon):
    daemon.pid_file.write_text(str(os.getsid(0)))  # after a reboot, the number may be anyone's: here it is ours
    assert not daemon.is_alive
    assert daemon.processes() == []
    assert daemons.stop([daemon], at_once=True) == []


def test_what_a_program_says_is_in_its_log_and_a_long_log_is_set_aside(daemon: Daemon, monkeypatch):
    monkeypatch.setattr(daemons, "LOG_LIMIT", 4)
    for word in ("first", "second"):
        daemon.start(["/bin/sh", "-c", f"echo {word}"], dict(os.environ))
        eventually(lambda: not daemon.is_alive)
    assert daemon.log.read_text() == "second\n"
    assert daemon.log.with_name("program.log.1").read_text() == "first\n"


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(question: Callable, patience: float = 10):
    deadline = time.monotonic() + patience
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return answer


PRINTS = """
{install}
import os, sys
print("it goes on")
sys.stderr.write("and on\\n")
sys.stdout.buffer.write(b"raw")
if not os.fork():
    print("in a fork too")
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.parametrize(
    ("install", "ends"), [("", 1), ("from minhu.services.lossy import install; install()", 0)], ids=["plain", "lossy"]
)
def test_a_full_disk_does_not_end_what_prints(install: str, ends: int):
    with open("/dev/full", "w") as full:
        program = [sys.executable, "-u", "-c", PRINTS.format(install=install)]
        done = subprocess.run(program, stdout=full, stderr=full, check=False, timeout=60)
    assert done.returncode == ends


def test_what_can_be_written_is_written_as_it_was():
    code = "from minhu.services.lossy import install; install(); print('日志', flush=True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == "日志\n"
