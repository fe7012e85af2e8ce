"""What the server and dbt are set to, and what the machine would have them set to."""

import json
from dataclasses import replace

import click

from minhu.cli.common import as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings

STATES = {
    "": "",
    "restart": "重启后 after minhu down && minhu up",
    "elsewhere": "另有指定 postgresql.conf, alter system",
    "differs": "不同 differs",
}


@minhu.command(epilog=example("minhu tune --explain", "minhu tune --cores 8 --memory 32GB --alone --as sql"))
@click.option("--explain", is_flag=True, help="Why each of them, too.")
@click.option("--cores", type=click.IntRange(1, 1024), help="Reckon for so many cores; for those here unless given.")
@click.option(
    "--memory", metavar="SIZE", help="Reckon for so much memory, such as 16GB; for what is here unless given."
)
@click.option("--alone", "is_alone", is_flag=True, help="Nothing but PostgreSQL is on that machine, in that container.")
@click.option("--as", "form", type=click.Choice(["conf", "sql"]), help="As lines of postgresql.conf, or for psql.")
@as_json_option
@click.pass_obj
def tune(
    settings: Settings,
    explain: bool,
    cores: int | None,
    memory: str | None,
    is_alone: bool,
    form: str | None,
    as_json: bool,
) -> None:
    """Tell what PostgreSQL and dbt are set to, and what this machine or container would have them set to.

    Changes nothing. The embedded server takes it at its next start, dbt at its next run; for other servers --as prints
    lines. MINHU_TUNE="shared_buffers=512MB threads=2" says otherwise.
    """
    from minhu.database import tuned, tuning

    given = {"cores": cores, "memory": memory and tuning.shown(tuning.in_mb(memory, "--memory"))}
    told = tuning.read(settings.tune) | {name: str(value) for name, value in given.items() if value}
    settings = replace(settings, tune=" ".join(f"{name}={value}" for name, value in told.items()))
    machine = tuning.as_told(tuned.here(settings), told)
    is_elsewhere = bool(cores or memory or is_alone) and not settings.database_url
    if cores or memory or settings.database_url:  # its disk is not to be seen from here
        machine = replace(machine, disk_mb=None)
    found = tuned.look(settings, machine, is_alone=is_alone, is_elsewhere=is_elsewhere)
    reckoned = tuple(one.setting for one in found)
    of = f"{machine.cores} 核 cores, {tuning.shown(machine.memory_mb)}"
    if form:
        sign, lines = ("#", tuning.conf) if form == "conf" else ("--", tuning.alter_system)
        threads = next(one.value for one in reckoned if one.name == "threads")
        click.echo(f"{sign} minhu tune: {of}\n{lines(reckoned)}\n{sign} dbt: MINHU_TUNE=threads={threads}")
        return
    rows = [
        {"setting": one.setting.name, "now": one.now, "would_be": one.setting.value, "state": one.state}
        | {"is_own": one.setting.is_own, "why_zh": one.setting.why_zh, "why_en": one.setting.why_en}
        for one in found
    ]
    if as_json:
        taken = tuning.taken_mb(is_alone)
        whole = {"machine": vars(machine), "taken_mb": taken, "settings": rows}
        click.echo(json.dumps(whole, ensure_ascii=False, indent=2))
        return
    bounds = f"（{'; '.join(machine.bound_by)}）" if machine.bound_by else ""
    click.echo(f"{of}{bounds}")
    show([_row(row) for row in rows], as_json=False)
    if explain:
        for row in rows:
            click.echo(f"\n{row['setting']} = {row['would_be']}\n  {row['why_zh']}\n  {row['why_en']}")


def _row(row: dict) -> dict:
    is_changed = "MINHU_TUNE" if row["is_own"] else ""
    return {
        "设置 setting": row["setting"],
        "现值 now": row["now"] or "—",
        "应为 would be": row["would_be"],
        "说明": "; ".join(filter(None, (is_changed, STATES[row["state"]]))),
    }
