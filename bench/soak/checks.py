"""What must hold at the end: each line a check, what is wanted, what was found."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.receivers import text
from bench.soak.city import HANGS, LATE, PLANTED, numbers_in
from bench.soak.run import UNBUILT, Lived, open_runs
from bench.soak.world import MAIL, WEB, World
from minhu import services
from minhu.feeds.canonical import STAGING_TABLE
from minhu.settings import Settings
from minhu.warehouse.reconcile import reconcile
from minhu.watch.incidents import incidents, told


@dataclass(frozen=True)
class Check:
    name: str
    wanted: str
    found: str
    holds: bool


def check(lived: Lived) -> list[Check]:
    return [
        *_of_rows(lived),
        *_of_builds(lived),
        *_of_what_is_stuck(lived),
        *_of_memory(lived),
        *_of_strikes(lived),
        *_of_incidents(lived),
        *_of_telling(lived.world),
        *_of_citizens(lived),
        _of_time(lived.world),
    ]


def _is(name: str, wanted: object, found: object, why: str = "") -> Check:
    told = f"{found:,}" if isinstance(found, int) else str(found)
    return Check(
        name, f"{wanted:,}" if isinstance(wanted, int) else str(wanted), f"{told}{why and f': {why}'}", wanted == found
    )


def _few(name: str, most: int, found: int) -> Check:
    return Check(name, f"{most} at most", str(found), found <= most)


# -- every row -----------------------------------------------------------------------------------------------------


def _of_rows(lived: Lived) -> list[Check]:
    world, counted = lived.world, lived.counted
    simulated = {(one.feed, one.delivery, one.business_date): one for one in lived.sent.files}
    rows = world.rows(
        "select feed_code, delivery, business_date::text, count(*), sum(received_rows), sum(staged_rows),"
        " sum(rejected_rows), sum(duplicate_rows), sum(filtered_rows)"
        " from audit.batch where status not in ('refused', 'superseded') group by 1, 2, 3"
    )
    loaded = {(feed, delivery, day): tuple(map(int, of)) for feed, delivery, day, *of in rows}
    received = {key: of[1] for key, of in loaded.items()}
    apart = sorted(
        f"{'/'.join(key)} {counted.get(key, 0)} in the file, {received.get(key, 0)} received"
        for key in counted.keys() | received.keys()
        if counted.get(key, 0) != received.get(key, 0)
    )
    lost = [key for key, (_, came, *went) in loaded.items() if came != sum(went)]
    otherwise = [
        key for key, of in loaded.items()
        if key in simulated and of[3:5] != (simulated[key].bad_rows, simulated[key].duplicate_rows)
    ]  # fmt: skip
    twice = [key for key, of in loaded.items() if of[0] != 1]
    astray = sum(
        world.rows(
            f"select coalesce(sum(abs(coalesce(staged_rows, 0) - coalesce(n, 0))), 0)::bigint from (select batch_id,"
            f" staged_rows from audit.batch where status <> 'refused' and kind = '{kind}') as b"
            f" full join (select batch_id, count(*) as n from {table} group by 1) as s using (batch_id)"
        )[0][0]
        for kind, table in STAGING_TABLE.items()
    )
    lines = [line for day in world.plan.dates for line in reconcile(world.settings, day).lines]
    short = [
        f"{line.feed_code}/{line.delivery} {line.status}" for line in lines if not _is_whole(line.status, line.gap)
    ]
    short = [one for one in short if not one.startswith((HANGS, LATE))]
    return [
        _is("rows received, against the files", sum(counted.values()), sum(received.values()), "; ".join(apart[:3])),
        _is("files whose rows differ", 0, len(apart)),
        _is("deliveries whose rows are not all accounted for", 0, len(lost)),
        _is("deliveries rejected or doubled otherwise than spoilt", 0, len(otherwise)),
        _is("deliveries loaded twice", 0, len(twice)),
        _is("rows of staging astray", 0, int(astray)),
        _is("lines of the reconciliation statements not whole", 0, len(short), "; ".join(short[:3])),
    ]


def _is_whole(status: str, gap: int | None) -> bool:
    return status in ("loaded", "accepted") and not gap


# -- every day -----------------------------------------------------------------------------------------------------


def _of_builds(lived: Lived) -> list[Check]:
    world = lived.world
    [(unbuilt,)] = world.rows(UNBUILT)
    [(held,)] = world.rows("select count(*) from audit.batch where status = 'held'")
    [(built,)] = world.rows(BUILT)
    [(staged, facts)] = world.rows(
        "select (select count(distinct (feed_code, case_no)) from staging.case_record),"
        " (select count(*) from mart.fct_case)"
    )
    [(late,)] = world.rows("select count(*) from audit.batch where feed_code = %s and status = 'accepted'", LATE)
    return [
        _is("days of which every batch was built", world.plan.days, built),
        _is("batches that no build took", 0, unbuilt),
        _is("batches held", 0, held),
        _is("cases as facts, against the cases staged", staged, facts),
        _is("files that came late, loaded and built", 1, late),
    ]


BUILT = f"""
with unbuilt as ({UNBUILT.replace("count(*)", "business_date")})
select count(distinct business_date) from audit.batch
where status = 'accepted' and business_date not in (select business_date from unbuilt)
"""


def _of_what_is_stuck(lived: Lived) -> list[Check]:
    world = lived.world
    open_states = ("scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule", "deferred")
    query = "&".join(f"state={state}" for state in open_states)
    client = services.airflow(world.settings)
    tasks = client.get(f"dags/~/dagRuns/~/taskInstances?{query}&limit=100")["task_instances"]
    runs = open_runs(world)
    failed = Counter(dag for (dag, _), (_, state) in world.runs.items() if state == "failed")
    meant = {lived.hung[0], lived.late[0], lived.garbage[0]}
    others = failed.keys() - meant - {"warehouse"}
    [(builds,)] = world.rows("select count(*) from audit.build where status = 'running'")
    [(idle,)] = world.rows(
        "select count(*) from pg_stat_activity where state like 'idle in transaction%' and"
        " state_change < clock_timestamp() - interval '30 s'"
    )
    transit = [path for path in world.settings.transit.rglob("*") if path.is_file()]
    return [
        _is("tasks stuck in Airflow", 0, len(tasks), _named(f"{it['dag_id']} {it['state']}" for it in tasks)),
        _is("runs stuck in Airflow", 0, len(runs), _named(it["dag_id"] for it in runs)),
        _is("runs failed for no fault", 0, len(others), _named(others)),
        _is("builds that run for ever", 0, builds),
        _is("sessions idle in a transaction", 0, idle),
        _few("builds begun anew by `arrivals`", len(world.struck), failed["warehouse"]),
        _few("files that killed loads left on their way", len(world.struck), len(transit)),
    ]


def _named(found: Iterable[object]) -> str:
    return "; ".join(sorted(map(str, found))[:3])


# -- memory and strikes --------------------------------------------------------------------------------------------


def _of_memory(lived: Lived) -> list[Check]:
    return [
        Check(
            f"memory of {one.service}",
            "bounded",
            f"peak {one.peak:.0f} MB, half-way {one.half_way:.0f}, end {one.end:.0f}"
            + (f", {one.per_hour:+.0f} MB an hour" if one.per_hour is not None else ""),
            one.is_bounded,
        )
        for one in lived.sampler.needs()
    ]


def _of_strikes(lived: Lived) -> list[Check]:
    world = lived.world
    found = [
        Check(f"{one.name} ({one.what})", "well again", f"after {one.seconds:.1f} s", one.is_well)
        if one.is_well
        else Check(f"{one.name}", "well again", one.what, False)
        for one in world.struck
    ]
    tries, seconds = _attempts(world, lived)
    limit, anew = world.plan.hang_seconds, sum(one.name == "scheduler" for one in world.struck)
    found.append(
        Check(
            "the source that never answers holds a slot",
            f"once, and again after a killed scheduler: {1 + anew} at most; {limit} s",
            f"{tries}, {seconds:.0f} s",
            tries <= 1 + anew and seconds < limit + 60,
        )
    )
    [(away,)] = world.rows("select count(*) from audit.attempt where feed_code = %s and outcome = 'unreachable'", HANGS)
    found.append(Check("its silence stands in the account", "1 at least", str(away), away > 0))
    planned = len(world.plan.moments)
    return [
        *found,
        _is("strikes made", f"{planned}", f"{len(world.struck) + len(world.skipped)}", _named(world.skipped)),
    ]


def _attempts(world: World, lived: Lived) -> tuple[int, float]:
    dag, run = lived.hung
    [task] = services.airflow(world.settings).get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
    return task["try_number"], task["duration"] or 0.0


# -- incidents -----------------------------------------------------------------------------------------------------


def _of_incidents(lived: Lived) -> list[Check]:
    """Each fault is one incident; a process that is back before anybody looks is none."""
    world = lived.world
    found = incidents(world.settings, is_open=False)
    wanted: list[tuple[str, str | None]] = [("refused", world.plan.garbage_feed), ("missing", LATE), ("missing", HANGS)]
    wanted += [(kind, None) for one in world.struck for kind in one.told]
    of = Counter((one.kind, one.feed_code) for one in found)
    checks = [_is(f"incidents {kind}{f' of {feed}' if feed else ''}", 1, of[kind, feed]) for kind, feed in wanted]
    may = {kind for one in world.struck for kind in one.kinds}
    meant = {*wanted, ("late", LATE)}
    unmeant = [one for one in found if (one.kind, one.feed_code) not in meant and one.kind not in may]
    again = Counter((one.kind, f"{one.feed_code or ''} {one.on_date or ''} {one.subject}") for one in found)
    often = [f"{kind} {subject}" for (kind, subject), times in again.items() if times > len(world.struck)]
    still = [one for one in found if one.closed_at is None and one.feed_code != HANGS]
    return [
        *checks,
        _is("incidents without a fault", 0, len(unmeant) + len(often),
            _named([*(f"{one.kind} {one.what}" for one in unmeant), *often])),
        _is("incidents open that were mended", 0, len(still), _named(f"{one.kind} {one.what}" for one in still)),
    ]  # fmt: skip


def _of_telling(world: World) -> list[Check]:
    """What arrived at the two recipients, against the account of what was told."""
    rows = told(world.settings)
    sent = Counter((row["recipient"], row["state"]) for row in rows)
    steps = world.hook.steps()
    ended = {
        (row["incident_id"], row["recipient"]) for row in rows if (row["step"], row["state"]) == ("solved", "sent")
    }
    unsent = [
        f"{row['recipient']} {row['kind']} {row['step']} {row['state']}"
        for row in rows
        if row["state"] != "sent"
        # one whose sender was killed, of a fault that was mended meanwhile: its end was told in its place
        and not (row["state"] == "failed" and (row["incident_id"], row["recipient"]) in ended)
    ]
    booked = {(row["incident_id"], row["step"]) for row in rows if row["recipient"] == WEB}
    return [
        _is("steps told to the web server, received", sent[WEB, "sent"], sum(steps.values())),
        _is(
            "steps received twice or never", 0, len(booked ^ steps.keys()) + sum(times > 1 for times in steps.values())
        ),
        _is("steps told by mail, received", sent[MAIL, "sent"], world.letters.lines()),
        _is("steps not sent", 0, len(unsent), _named(unsent)),
    ]


def _of_citizens(lived: Lived) -> list[Check]:
    """Their numbers, which every file of cases has, and a planted name: in no log, and in nothing that was told."""
    world, known = lived.world, lived.numbers | {PLANTED[0]}
    told = [text(letter) for letter in world.letters.taken]
    told += [json.dumps(body, ensure_ascii=False) for body in world.hook.taken.values()]
    written = {str(path.relative_to(world.settings.home)): path.read_bytes() for path in logs(world.settings)}
    written["told"] = "\n".join(told).encode()
    found = [name for name, of in written.items() if known & numbers_in(of) or PLANTED[1].encode() in of]
    some = world.plan.cases * world.plan.days // 4
    [(quoted,)] = world.rows("select count(*) from audit.attempt where reason like '%%' || %s || '%%'", PLANTED[1])
    return [
        Check(
            "numbers of citizens in the files",
            f"{some:,} at least",
            f"{len(lived.numbers):,}",
            len(lived.numbers) >= some,
        ),
        Check("logs of tasks, services and server", "20 at least", f"{len(written) - 1}", len(written) > 20),
        _is("logs and messages with a citizen in them", 0, len(found), _named(found)),
        _is("reasons that quote what was not read", 0, quoted),
    ]


def logs(settings: Settings) -> list[Path]:
    """Of the services and tasks, of dbt, of the server."""
    return [path for place in ("logs", "dbt", "postgres") for path in (settings.home / place).rglob("*")
            if path.is_file() and (path.suffix == ".log" or "logs" in path.parts)]  # fmt: skip


def _of_time(world: World) -> Check:
    return Check("all of it", f"within {world.plan.minutes:g} min", f"{world.elapsed / 60:.1f} min", world.left >= 0)
