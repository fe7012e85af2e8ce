"""The exported marts handed to a Spark cluster: its job is submitted as a process of its own.

Whoever exports them does it by his own login, with a reason: the login of the tasks takes no marts away.
"""

import json
import os
import shutil
import subprocess
from typing import Any

from minhu.errors import Refused, Retryable
from minhu.settings import PROJECT_ROOT, Settings

JOB = PROJECT_ROOT / "examples" / "spark" / "job.py"


def submit(settings: Settings) -> dict[str, Any]:
    """Submits the job over the export in ``spark_folder``; its answer lies beside it. Returns what the job told.

    spark-submit is that of ``SPARK_HOME``, else of the path. It is given nothing of ours: no address, no password.

    Raises Refused where no cluster is named, nothing was exported or there is no spark-submit; Retryable where the job
    failed.
    """
    if not settings.spark_master:
        raise Refused("no Spark cluster is named: set MINHU_SPARK_MASTER, such as spark://HOST:7077")
    home = os.environ.get("SPARK_HOME")
    program = shutil.which("spark-submit", path=f"{home}/bin" if home else None)
    if not program:
        raise Refused("there is no spark-submit: set SPARK_HOME to a Spark distribution, or put its bin on the path")
    folder = settings.spark_folder
    if not (folder / "marts" / "manifest.json").is_file():
        raise Refused(f"{folder / 'marts'} holds no marts: minhu export mart --out {folder / 'marts'} --why …")
    done = subprocess.run(
        [
            *(program, "--master", settings.spark_master, str(JOB)),
            *("--marts", f"{folder / 'marts'}", "--out", f"{folder / 'units_by_month'}"),
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith(("MINHU_", "AIRFLOW_"))},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise Retryable(f"spark-submit: {done.stderr.strip()[-1500:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told
