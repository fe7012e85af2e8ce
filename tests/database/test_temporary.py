"""An empty database for a while leaves nothing behind, whoever is killed: real servers."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from minhu.database import embedded
from minhu.database.temporary import HELD, PREFIX, remove_left
from minhu.settings import PROJECT_ROOT, Settings

MAKER = """
import sys
from pathlib import Path
from minhu.database import embedded
from minhu.database.temporary import temporary
from minhu.settings import Settings
of = Path(sys.argv[1])
with temporary(Settings(home=of, config=of, drop=of, database_url=None), "Asia/Shanghai") as fresh:
    print(fresh.home, embedded.status(fresh).pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def top(monkeypatch) -> Iterator[Path]:
    """Where temporary files are kept: a folder that the server's user passes."""
    with tempfile.TemporaryDirectory(prefix="minhu-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield folder


@pytest.fixture
def maker(top, tmp_path) -> Iterator[tuple[subprocess.Popen, Path, int]]:
    """A process that has made one, the folder, and the pid of its server."""
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    world = os.environ | {"TMPDIR": str(top)}
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=world, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        home, pid = process.stdout.readline().split()
        try:
            yield process, Path(home), int(pid)
        finally:
            process.kill()
            process.wait()
            embedded.stop(Settings(home=Path(home), config=top, drop=top, database_url=None))


def lives(pid: int) -> bool:
    """Whether a server is there; in a container nobody buries what has ended."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_a_killed_process_left_is_ended_and_removed_by_the_next(top, maker):
    process, home, pid = maker
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lives(pid) and home.exists()  # the server outlives who started it
    remove_left()
    assert not lives(pid) and list(top.iterdir()) == []


def test_what_a_living_process_holds_stays_and_it_removes_it_itself(top, maker):
    process, home, pid = maker
    remove_left()
    assert lives(pid) and (home / HELD).exists()
    process.stdin.close()
    process.wait()
    assert not lives(pid) and list(top.iterdir()) == []


def test_a_folder_that_is_not_held_in_our_way_or_not_ours_stays(top):
    (top / f"{PREFIX}a").mkdir()
    real = top / "elsewhere"
    real.mkdir()
    (real / HELD).touch()
    (top / f"{PREFIX}b").symlink_to(real)
    remove_left()
    assert sorted(one.name for one in top.iterdir()) == ["elsewhere", f"{PREFIX}a", f"{PREFIX}b"]
    assert (real / HELD).exists()
