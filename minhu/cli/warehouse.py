"""The warehouse: builds, logins, what readers find."""

import json
from datetime import datetime

import click

from minhu.cli.common import DATE, Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.command(epilog=example("minhu build", "minhu build --full-refresh"))
@click.option("--full-refresh", is_flag=True, help="Compute every case anew; the result is the same.")
@as_json_option
@click.pass_obj
def build(settings: Settings, full_refresh: bool, as_json: bool) -> None:
    """Build the facts of what was accepted since the last build.

    A build that failed leaves nothing for readers; the next one continues it unless anything it rests on has changed.
    """
    from minhu import database
    from minhu.glossary.delivered import BUILD_STEP
    from minhu.warehouse.build import build as run

    database.migrate(settings)
    result = run(settings, full_refresh=full_refresh, tell=lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(result.summary(), ensure_ascii=False))
    elif result.build_id is None:
        click.echo(
            "nothing to build: no batch came or went, nothing was decided and no rule changed since the last build"
        )
    else:
        rows = "  ".join(f"{table}={count}" for table, count in (result.rows or {}).items() if table.startswith("fct_"))
        if result.continues:
            click.echo(f"continues build {result.continues}, which failed: {result.reused} models and tests reused")
        click.echo(
            f"build {result.build_id}: {result.taken} batches in, {result.withdrawn} out, {result.decisions} decisions,"
            f" {result.touched_cases} cases touched, {result.tests} tests passed, {result.seconds} s\n{rows}"
        )
        if result.chunks > 1:
            click.echo(f"in {result.chunks} builds, {result.build_id} the last of them")
        if result.left_cases:
            click.echo(
                f"{result.left_cases} cases stay as they stood: rows that they rest on are kept out of staging, see"
                " `minhu months list`"
            )
        click.echo("，".join(f"{BUILD_STEP.zh(step)} {seconds:.1f} s" for step, seconds in result.steps.items()))


MONTH = click.DateTime(["%Y-%m"])
COLUMNS_OF_MONTHS = ["month", "part_id", "state", "cases", "rows", "bytes", "arrived", "detached_at", "attached_at"]


@minhu.group(cls=Commands)
def months() -> None:
    """Old months out of staging into files of the landing zone, and back. Facts and scores stay as they are."""


@months.command("list", epilog=example("minhu months list", "minhu months list --json"))
@as_json_option
@click.pass_obj
def months_list(settings: Settings, as_json: bool) -> None:
    """List the months that were taken out, their files, and for how many of their cases something arrived since."""
    from minhu import database
    from minhu.warehouse.detached import read

    with database.connect(settings) as connection:
        show([one.summary() for one in read(connection)], as_json, COLUMNS_OF_MONTHS)


@months.command("arrived", epilog=example("minhu months arrived", "minhu months arrived --json"))
@as_json_option
@click.pass_obj
def months_arrived(settings: Settings, as_json: bool) -> None:
    """List the cases that something arrived for while rows that they rest on are out; their facts have not changed."""
    from minhu import database
    from minhu.glossary.delivered import ARRIVED_FOR
    from minhu.warehouse.detached import arrived

    with database.connect(settings) as connection:
        found = arrived(connection)
    show([row | {"rests_on_zh": ARRIVED_FOR.zh(row["rests_on"])} for row in found], as_json)


@months.command("detach", epilog=example("minhu months detach 2024-03 --dry-run", "minhu months detach 2024-03"))
@click.argument("month", type=MONTH)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@as_json_option
@click.pass_obj
def months_detach(settings: Settings, month: datetime, dry_run: bool, as_json: bool) -> None:
    """Take the cases received in MONTH out of staging, whole under their links.

    A case stays while a duty of it is open, an appeal undecided, or a snapshot of its sender would withdraw it. What
    arrives for a case that went is kept and told, and counts once its month is attached again.
    """
    from minhu import database
    from minhu.warehouse.detached import detach

    database.migrate(settings)
    found = detach(settings, month.date(), dry_run=dry_run, tell=lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(found.summary(), ensure_ascii=False))
        return
    went = "would go" if dry_run else f"went into files of {found.bytes:,} bytes"
    click.echo(f"{month:%Y-%m}: {found.cases:,} cases with {found.rows:,} rows {went}")
    for why, cases in found.stays.items():
        click.echo(f"  {cases:,} stay: {STAYING[why]}")
    if found.rest:
        click.echo(f"  {found.rest:,} later cases of their callers rest on them, and are not rebuilt meanwhile")


STAYING = {
    "open": "a duty is open",
    "waits": "something of them waits for a verdict or a build",
    "snapshot": "the next snapshot of their sender withdraws what it does not tell again",
    "appeal": "an appeal is undecided",
    "arrived": "something arrived for them that waits for another month",
    "linked": "they are linked to one that stays, or that came in a later month",
}


@months.command("attach", epilog=example("minhu months attach 2024-03", "minhu months attach 2024-03 --json"))
@click.argument("month", type=MONTH)
@as_json_option
@click.pass_obj
def months_attach(settings: Settings, month: datetime, as_json: bool) -> None:
    """Bring back what was taken out of MONTH, row by row as it was; `minhu build` then computes its cases anew."""
    from minhu import database
    from minhu.warehouse.detached import attach

    database.migrate(settings)
    came = attach(settings, month.date(), tell=lambda line: click.echo(line, err=True))
    show([one.summary() for one in came], as_json, COLUMNS_OF_MONTHS)


@minhu.group()
def callers() -> None:
    """Callers, for the hotline office. Whoever looks is recorded."""


@callers.command(
    "frequent",
    epilog=example(
        "minhu callers frequent --since 2026-10-01 --until 2026-10-31 --min 10 --why '高频来电人研判'",
        "minhu callers frequent --why '高频来电人研判' --json",
    ),
)
@click.option("--since", type=DATE, help="First day of receipt; from the beginning unless given.")
@click.option("--until", type=DATE, help="Last day of receipt; to the end unless given.")
@click.option("--min", "at_least", type=click.IntRange(1), default=5, show_default=True, help="So many cases or more.")
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@as_json_option
@click.pass_obj
def callers_frequent(
    settings: Settings, since: datetime | None, until: datetime | None, at_least: int, why: str, as_json: bool
) -> None:
    """List who calls often: the phone masked, how many cases and repeats, about what, for whom."""
    from minhu.watch.callers import COLUMNS, frequent

    first, last = (day and day.date() for day in (since, until))
    show(frequent(settings, why, since=first, until=last, at_least=at_least), as_json, COLUMNS)


COLUMNS_OF_LOGINS = ["name", "group", "person", "units", "feeds", "statement_timeout", "is_portal"]


@minhu.group()
def logins() -> None:
    """Logins for people and tools: who reads, who decides, who speaks for a unit, who sends."""


@logins.command("list", epilog=example("minhu logins list --json"))
@as_json_option
@click.pass_obj
def logins_list(settings: Settings, as_json: bool) -> None:
    """List who may read what, and how long one of their statements may run."""
    from minhu import database
    from minhu.database import logins

    with database.connect(settings) as connection:
        show(logins.logins(connection), as_json, COLUMNS_OF_LOGINS)


@logins.command("rights", epilog=example("minhu logins rights", "minhu logins rights --json"))
@as_json_option
@click.pass_obj
def logins_rights(settings: Settings, as_json: bool) -> None:
    """Tell what each group may read and do, as the database's own grants say it."""
    from minhu import database
    from minhu.database import logins

    with database.connect(settings) as connection:
        found = logins.rights(connection)
    if as_json:
        show(found, as_json, list(found[0]))
    else:
        click.echo("\n".join(logins.told(found)))


@logins.command(
    "add",
    epilog=example(
        "minhu logins add superset --group bi",
        "minhu logins add takes_out --group bi --extracts",
        "minhu logins add audit1 --group auditor",
        "minhu logins add chengguan1 --group unit --unit 330112A05",
        "minhu logins add pages_of_units --group unit --portal",
        "minhu logins add sign_in --group signin",
        "minhu logins add li_gong --group engineer",
        "minhu logins add water_sends --group sender --feed h12345 --feed water_supply",
    ),
)
@click.argument("name")
@click.option(
    "--group",
    type=click.Choice(["bi", "evaluator", "auditor", "unit", "signin", "engineer", "sender"]),
    required=True,
    help="What it may do.",
)
@click.option("--timeout", help="How long one statement may run; 60s unless given, 30min with --extracts.")
@click.option("--extracts", is_flag=True, help="It takes whole marts out: long statements, two sessions. Group bi.")
@click.option("--unit", help="Code of the unit that a login of the group unit speaks for.")
@click.option("--feed", "feeds", multiple=True, help="Code of a feed that a login of the group sender posts for.")
@click.option("--portal", is_flag=True, help="For the connections of the portal that people of this group ask through.")
@click.option("--connections", type=click.IntRange(1, 40), help="Sessions at a time; 10, bi 20, the portal's 30.")
@click.pass_obj
def logins_add(
    settings: Settings,
    name: str,
    group: str,
    timeout: str | None,
    extracts: bool,
    unit: str | None,
    feeds: tuple[str, ...],
    portal: bool,
    connections: int | None,
) -> None:
    """Make a login. bi and auditor only read, evaluator also decides, unit files appeals of its unit.

    sender posts the deliveries of its feeds to the portal (a `source` of `type: push`) and sees what became of them.

    engineer reads what holds no words of citizens, and runs what is in Airflow, where auditors and evaluators look and
    others do not enter. They log in there with this name and password.

    A login of the portal is nobody by itself: it may what its group may, for whoever has signed in. signin opens and
    ends their sessions and does nothing else; pages never hold it.

    Its password is shown once and kept nowhere. How tools connect is told beside it, for those who read the marts.
    """
    from minhu import database
    from minhu.config import sync
    from minhu.database import logins

    database.migrate(settings)
    if feeds:
        sync(settings)  # a feed that was declared just now is known, too
    with database.connect(settings) as connection:
        password = logins.add_login(
            connection,
            name,
            group,
            timeout,
            unit,
            feeds=feeds,
            is_portal=portal,
            extracts=extracts,
            connections=connections,
        )
    click.echo(f"{name}: {password}")
    if group in ("bi", "evaluator", "auditor") and not portal:
        # Who also decides, or is written down when he reads, enters the primary.
        apart = database.read_url(settings) if group == "bi" else None
        if apart:
            click.echo("on the standby, where builds and readers do not meet; --help of `minhu standby`:", err=True)
        for what, how in logins.ways_in(apart or database.url(settings), name):
            click.echo(f"{what:34}{how}", err=True)


@logins.command(
    "sends",
    epilog=example("minhu logins sends water_sends h12345", "minhu logins sends water_sends h12345 --off"),
)
@click.argument("name")
@click.argument("feed")
@click.option("--off", is_flag=True, help="No longer.")
@click.pass_obj
def logins_sends(settings: Settings, name: str, feed: str, off: bool) -> None:
    """Say that a login of the group sender posts the deliveries of FEED."""
    from minhu import database
    from minhu.config import sync
    from minhu.database import logins

    sync(settings)
    with database.connect(settings, autocommit=True) as connection:
        logins.sends_for(connection, name, feed, is_active=not off)
    click.echo(f"{name} {'no longer sends' if off else 'sends'} for {feed}")


@logins.command("identify", epilog=example("minhu logins identify ping --method cert --as 'CN=ping,O=考核办'"))
@click.argument("name")
@click.option("--method", required=True, help="As pg_hba.conf names it: cert, gss, peer …")
@click.option("--as", "identity", required=True, help="Who that is there; `select system_user` tells it.")
@click.option("--off", is_flag=True, help="It is this login no longer.")
@click.pass_obj
def logins_identify(settings: Settings, name: str, method: str, identity: str, off: bool) -> None:
    """Say which certificate or directory entry a login is. Who logs in with a password needs none of this.

    Whoever the server cannot tell, or lets in unasked, decides nothing.
    """
    from minhu import database
    from minhu.database import logins

    with database.connect(settings, autocommit=True) as connection:
        logins.identify(connection, name, method, identity, is_active=not off)
    click.echo(f"{name} is {'no longer ' if off else ''}{method}:{identity}")


@logins.command("key", epilog=example("minhu logins key ping 8d0c…", "minhu logins key ping 8d0c… --off"))
@click.argument("name")
@click.argument("public_key")
@click.option("--off", is_flag=True, help="It signs no longer.")
@click.pass_obj
def logins_key(settings: Settings, name: str, public_key: str, off: bool) -> None:
    """Register the public key with which a login signs approvals, as `minhu keys approver` shows it.

    From then on its approvals of closings are signed; `minhu verify` checks each.
    """
    from minhu import database
    from minhu.database import logins

    with database.connect(settings, autocommit=True) as connection:
        logins.register_key(connection, name, public_key, is_active=not off)
    click.echo(f"{name} {'no longer signs' if off else 'signs'} with {public_key[:12]}")


@logins.command("name", epilog=example("minhu logins name shen 某某 --office 考评科"))
@click.argument("login")
@click.argument("name")
@click.option("--office", help="What stands before the name.")
@click.pass_obj
def logins_name(settings: Settings, login: str, name: str, office: str | None) -> None:
    """Say whose a login is. Bulletins name who closed and approved so, and never a login."""
    from minhu import database
    from minhu.database import logins

    with database.connect(settings, autocommit=True) as connection:
        logins.name_person(connection, login, name, office)
    click.echo(f"{login}: {' '.join(filter(None, (office, name)))}")


@logins.command("same", epilog=example("minhu logins same shen_unit shen", "minhu logins same shen_unit shen --off"))
@click.argument("login")
@click.argument("person")
@click.option("--off", is_flag=True, help="No longer.")
@click.pass_obj
def logins_same(settings: Settings, login: str, person: str, off: bool) -> None:
    """Say that LOGIN is another login of the human for whom the login PERSON stands.

    Whatever he does under either is recorded as PERSON's; where another person is asked for, neither of them is.
    """
    from minhu import database
    from minhu.database import logins

    with database.connect(settings, autocommit=True) as connection:
        logins.same_person(connection, login, person, is_active=not off)
    click.echo(f"{login} is {'no longer ' if off else ''}{person}")


@logins.command("forget-factor", epilog=example("minhu logins forget-factor shen"))
@click.argument("login")
@click.pass_obj
def logins_forget_factor(settings: Settings, login: str) -> None:
    """Forget the second factor of LOGIN, whose phone is lost; the next sign-in on the pages begins a new one."""
    from minhu import database
    from minhu.portal.factor import forget

    with database.connect(settings, autocommit=True) as connection:
        forget(connection, login)
    click.echo(f"the second factor of {login} is forgotten")


@logins.command("drop", epilog=example("minhu logins drop superset"))
@click.argument("name")
@click.pass_obj
def logins_drop(settings: Settings, name: str) -> None:
    """Remove a login that was made here."""
    from minhu import database
    from minhu.database import logins

    with database.connect(settings) as connection:
        logins.drop_login(connection, name)
    click.echo(f"{name} is gone")


@minhu.command(epilog=example("minhu dictionary > docs/metrics.md"))
def dictionary() -> None:
    """Print the metric dictionary: every measure and every column of mart, as Markdown."""
    from minhu.warehouse import dictionary as book

    click.echo(book.dictionary(), nl=False)
