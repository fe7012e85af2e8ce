"""Starting and stopping, the demonstration, the simulator."""

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from minhu.cli.common import DATE, Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.errors import Refused
from minhu.settings import Settings


@minhu.command(epilog=example("minhu up"))
@click.option("--stay", "stays", is_flag=True, help="Stay until asked to end, then take all down: as systemd wants it.")
@click.pass_obj
def up(settings: Settings, stays: bool) -> None:
    """Start PostgreSQL, Airflow and the portal; print the addresses. People enter by their own logins of the database.

    The portal's own logins are made where this login may make them; else pages are served by `minhu portal`.
    """
    from minhu import config, database, services
    from minhu.database import tuned
    from minhu.feeds.arrival import of_city
    from minhu.load.key_ring import assert_may_load, make_first
    from minhu.services import supervisor

    if stays:
        ends = supervisor.asked_to_end()

    database.migrate(settings)
    if settings.broker_url:
        make_first(settings)  # workers make none
    elif settings.database_url:
        assert_may_load(settings)  # beside other homes: better now than with the first load of the night
    config.sync(settings)
    if changes := tuned.outdated(settings):
        click.echo(f"机器变了，重启后生效 after minhu down && minhu up：{changes}")
    pages = _open_pages(settings)
    url = services.up(settings, click.echo, is_supervised=stays)
    services.airflow(settings).keep_pools(of_city(settings.config).pools)
    click.echo(f"门户 portal    {pages or '未启动：minhu portal'}")
    click.echo(
        f"Airflow        {url}\n登录 login     各人用自己的数据库登录；新建：minhu logins add NAME --group engineer"
    )
    if stays:
        supervisor.keep_alive(settings, ends)
        services.down(settings)


def _open_pages(settings: Settings) -> str | None:
    """Where the pages will be, their logins made; None where this login may make none."""
    from minhu import services
    from minhu.portal.desk import Desk

    try:
        Desk(settings).open()
    except Refused as error:
        click.echo(f"门户的登录未能建立：{error}")
        return None
    return services.with_portal(settings)


@minhu.command(epilog=example("minhu down"))
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop everything that `minhu up` started."""
    from minhu import services

    services.down(settings)
    click.echo("stopped")


@minhu.command(epilog=example("minhu portal", "minhu portal --port 8443 --behind 127.0.0.1"))
@click.option("--port", type=click.IntRange(1, 65535), default=8601, show_default=True)
@click.option("--behind", metavar="ADDRESS", help="The proxy whose word on scheme and address of the reader counts.")
@click.pass_obj
def portal(settings: Settings, port: int, behind: str | None) -> None:
    """Serve the pages of evaluators, auditors, units and readers, on this machine alone, until asked to end.

    People sign in with their own logins of the database. A proxy that speaks TLS brings others here.
    """
    from minhu.portal.desk import Desk
    from minhu.portal.serve import serve

    Desk(settings).open()
    click.echo(f"门户 portal    http://127.0.0.1:{port}")
    serve(settings, port, behind)


@minhu.command(epilog=example("minhu worker", "minhu worker --ping"))
@click.option("--ping", is_flag=True, help="Only ask the worker of this home to answer; exit 1 where it does not.")
@click.pass_obj
def worker(settings: Settings, ping: bool) -> None:
    """Run tasks that the scheduler of another machine hands out, until asked to end.

    Refuses where something is missing that all homes share: database, broker, landing zone, drop folder, keys.
    """
    from minhu.services import workers

    if ping:
        name = workers.name_of(settings)
        if not workers.answering(settings, [name]):
            raise Refused(f"the worker {name} of {settings.home} does not answer")
        click.echo(f"{name} answers")
        return
    from minhu import config
    from minhu.feeds import load_feeds
    from minhu.landing.store import store_of
    from minhu.load.key_ring import assert_holds_all

    sources = {delivery.source.type for feed in load_feeds(settings.config) for delivery in feed.deliveries}
    workers.assert_complete(settings, has_drop_folders="drop_folder" in sources)
    config.assert_in_force(settings)
    assert_holds_all(settings)
    click.echo(f"{workers.name_of(settings)}: {settings.home}, landing zone {store_of(settings).told}")
    workers.work(settings)


@minhu.group(cls=Commands)
def service() -> None:
    """The installation as a service of the machine."""


@service.command("install", epilog=example("sudo .venv/bin/minhu service install --user minhu"))
@click.option("--user", required=True, help="The user it runs as, who owns the home; never root.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="/etc/systemd/system",
    show_default=True,
    help="Where systemd reads units.",
)
@click.option("--worker", "is_worker", is_flag=True, help="Of a worker: it runs `minhu worker` and nothing else.")
@click.pass_obj
def service_install(settings: Settings, user: str, folder: Path, is_worker: bool) -> None:
    """Write a hardened systemd unit that brings all up at boot, keeps it alive, and takes it down in peace."""
    from minhu.services.units import write_unit

    file = write_unit(settings, user, folder, is_worker=is_worker)
    click.echo(f"{file}: systemctl daemon-reload && systemctl enable --now {file.stem}")


@minhu.command(epilog=example("minhu status --json"))
@as_json_option
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Tell what runs, where its data and logs are."""
    from minhu import services

    found = services.status(settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
    else:
        for name, facts in found.items():
            told = "  ".join(f"{key}={value}" for key, value in facts.items()) if isinstance(facts, dict) else facts
            click.echo(f"{name:14} {told}")


@minhu.command(epilog=example("minhu doctor"))
@as_json_option
@click.pass_obj
def doctor(settings: Settings, as_json: bool) -> None:
    """Check what this installation stands on: database, configuration, folders. Exits 1 when a check fails."""
    from minhu.doctor import examine

    checks = examine(settings)
    show(
        [{"check": check.name, "ok": "yes" if check.is_ok else "NO", "found": check.found} for check in checks], as_json
    )
    if not all(check.is_ok for check in checks):
        raise click.exceptions.Exit(1)


@minhu.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog=example(
        "minhu psql -c 'select count(*) from mart.fct_case'", "minhu psql --as-owner --why '修复登录 ping 的权限'"
    ),
)
@click.option("--read", "is_apart", is_flag=True, help="On the standby, where there is one.")
@click.option("--as-owner", is_flag=True, help="As the owner of the warehouse, who may change it; needs --why.")
@click.option("--why", help="Why as the owner; recorded in the access log.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, is_apart: bool, as_owner: bool, why: str | None, arguments: tuple[str, ...]) -> None:
    """psql on the warehouse, to look at it; arguments go to psql."""
    from minhu import database
    from minhu.database import embedded, roles
    from minhu.privacy.access_log import record_owner_session

    if as_owner and is_apart:
        raise click.UsageError("a standby is looked at alone: --read or --as-owner")
    if as_owner:
        record_owner_session(settings, why or "")
    elif settings.login == roles.OWNER:
        settings = replace(settings, login=roles.ENGINEER)
    where = str(embedded.status(settings).bin_dir / "psql")
    target = database.read_url(settings) if is_apart else database.url(settings)
    if target is None:
        raise Refused("there is no standby: MINHU_READ_URL names one, `minhu standby make` makes one")
    at, password = database.without_password(target)
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    if not as_owner:
        environment |= {"PGOPTIONS": f"{os.environ.get('PGOPTIONS', '')} -c default_transaction_read_only=on".strip()}
    os.execve(where, ["psql", at, *arguments], environment)  # noqa: S606 - the terminal becomes psql's


@minhu.command(epilog=example("minhu simulate --out drop --start 2026-10-01 --days 31 --cases-per-day 970 --seed 7"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write into; the drop folder unless given.")
@click.option("--start", type=DATE, required=True, help="First business date.")
@click.option("--days", type=click.IntRange(1), default=1, show_default=True)
@click.option("--cases-per-day", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--bundle", is_flag=True, help="All days but the last in one file per feed and kind.")
@click.pass_obj
def simulate(
    settings: Settings, out: Path | None, start: datetime, days: int, cases_per_day: int, seed: int, bundle: bool
) -> None:
    """Write what the feeds of a simulated city would send."""
    from minhu.feeds import load_feeds
    from minhu.simulate import write_city

    folder = out or settings.drop
    folder.mkdir(parents=True, exist_ok=True)
    summary = write_city(
        load_feeds(settings.config), settings.config, folder, start.date(), days, cases_per_day, seed, bundle
    )
    click.echo(f"{folder}: {len(summary.files)} files, {summary.rows} rows; simulation.json accounts for each")


@minhu.command(epilog=example("minhu demo", "minhu demo --no-airflow"))
@click.option("--no-airflow", is_flag=True, help="Load, build and score here, without the scheduler: a quick look.")
@click.pass_obj
def demo(settings: Settings, no_airflow: bool) -> None:
    """Simulate two months of a small city and run them through the whole chain, with the real scheduler.

    September is published; of October the scores are there, and nobody has closed it.
    """
    from minhu.demo import run

    run(settings, has_airflow=not no_airflow, open_pages=lambda: _open_pages(settings))
