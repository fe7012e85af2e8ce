"""Computes a published result anew from a bundle alone, on an empty database of its own that is gone afterwards.

    file → (decrypt) → manifest, parts by their hashes → the rows into an empty warehouse
         → the release's own chain, approval, inputs → facts → what repeats what, as given → scores → compare

Nothing is asked of the warehouse that the bundle came from.
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from minhu import database
from minhu.audit.bundle.contents import FORMAT, MANIFEST, PARTS, REPEATS, SLICED
from minhu.database.temporary import temporary
from minhu.errors import Refused, foreign
from minhu.landing import seal
from minhu.publish.chain import Finding, check_alone
from minhu.publish.close import Release, find_release
from minhu.publish.code import code_version
from minhu.publish.recompute import SCRATCH, Difference, recompute
from minhu.publish.stored_release import run_of
from minhu.schemes.plain import plain
from minhu.settings import Settings

_CHUNK = 1 << 20
_REPEATS_TABLE = (
    "create table public.taken_repeat"
    " (case_id text, repeat_of_case_id text, repeat_similarity numeric, repeat_basis text)"
)


@dataclass(frozen=True)
class TakenAsGiven:
    """What the bundle gives as it is: taken, not recomputed."""

    what: str
    zh: str
    en: str


@dataclass(frozen=True)
class BundleVerification:
    """``damaged``: parts that are not as the manifest says. ``taken``: what was taken as given."""

    file: str
    sha256: str
    release: Release
    cases: int
    made_by: dict[str, Any]
    damaged: tuple[str, ...]
    findings: tuple[Finding, ...]
    changed_inputs: tuple[str, ...]
    differences: tuple[Difference, ...]
    taken: tuple[TakenAsGiven, ...]
    notes: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        return not (self.damaged or self.findings or self.changed_inputs or self.differences)

    def as_json(self) -> dict:
        return plain(self) | {"is_ok": self.is_ok}


def verify_bundle(
    settings: Settings,
    file: Path,
    *,
    key: Path | None = None,
    expected: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> BundleVerification:
    """Recomputes what ``file`` holds and compares it with the release in it, to the last digit.

    ``key``: a file with the age secret key that it was encrypted to. ``expected``: the hash of the release, or its
    first digits, as someone else has kept it: a bundle that was written anew from one end to the other is seen by
    nothing else. Raises Refused when the file is no bundle, or cannot be read. What is wrong is in the result.
    """
    with foreign.told("read file", file=file), file.open("rb") as given:
        sha256 = hashlib.file_digest(given, "sha256").hexdigest()
    with _opened(file, key, tell) as packed:
        manifest = _manifest(packed, file)
        with temporary(settings, manifest["timezone"]) as empty:
            damaged = _bring_in(empty, packed, manifest, file, tell)
            return _compute(empty, file, sha256, manifest, damaged, expected, tell)


@contextmanager
def _opened(file: Path, key: Path | None, tell: Callable[[str], None]) -> Iterator[zipfile.ZipFile]:
    """The ZIP; of an encrypted one a private copy, for the while."""
    keys = seal.read_key_file(key) if key else ()
    with (
        foreign.told("read file", file=file),
        foreign.told("bundle", file=file),
        file.open("rb") as given,
        tempfile.TemporaryFile(prefix="minhu-") as copy,
    ):
        if given.read(4) == b"age-":
            if not keys:
                raise Refused(f"{file} is encrypted: name the file with your age secret key, --key FILE")
            given.seek(0)
            tell("解密")
            seal.decrypt(given, seal.Hashed(copy), keys, str(file), str(key))
        with zipfile.ZipFile(copy if keys and copy.tell() else given) as packed:
            yield packed


def _manifest(packed: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    if MANIFEST not in packed.namelist():
        raise Refused(f"{file} is no bundle: it has no {MANIFEST}")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest.get("format") != FORMAT:
        raise Refused(f"{file} is a bundle of the form {manifest.get('format')!r}; this minhu reads {FORMAT!r}")
    return manifest


def _bring_in(
    empty: Settings, packed: zipfile.ZipFile, manifest: dict[str, Any], file: Path, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """Copies every part into its table; says which are not what the manifest says."""
    told = {part["name"]: part for part in manifest["parts"]}
    tables = [part.table for part in PARTS] + [part.table for part in SLICED]
    damaged = [f"{name}：清单中没有" for name in tables if name not in told]
    damaged += [f"{name}：不是审计包的内容" for name in told if name not in tables]
    made_by = manifest["code"]["version"]
    with database.connect(empty) as connection:
        # as they were: no trigger stamps who and when anew, nothing asks for rows that stayed at home
        connection.execute("set session_replication_role = replica")
        connection.execute("set local timezone = 'UTC'")
        connection.execute(_REPEATS_TABLE)
        for name in tables:
            if name not in told:
                continue
            with foreign.told("bundle", file=file, part=name, made_by=made_by):
                rows, sha256 = _copy(connection, packed, name, told[name]["columns"])
            tell(f"{name} {rows} 行")
            if (rows, sha256) != (told[name]["rows"], told[name]["sha256"]):
                by_manifest = f"{told[name]['rows']} 行，sha256 {told[name]['sha256'][:12]}"
                damaged.append(f"{name}：{rows} 行，sha256 {sha256[:12]}；清单记 {by_manifest}")
    with database.connect(empty, autocommit=True) as connection:
        connection.execute("analyze")
    return tuple(damaged)


def _copy(connection: psycopg.Connection, packed: zipfile.ZipFile, name: str, columns: list[str]) -> tuple[int, str]:
    digest = hashlib.sha256()
    if f"{name}.csv" not in packed.namelist():
        return 0, digest.hexdigest()
    table = "public.taken_repeat" if name == REPEATS else name
    into = sql.SQL("copy {} ({}) from stdin (format csv, header)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with packed.open(f"{name}.csv") as member, connection.cursor() as cursor:
        if not columns:
            return 0, digest.hexdigest()
        with cursor.copy(into) as copied:
            while data := member.read(_CHUNK):
                digest.update(data)
                copied.write(data)
        return cursor.rowcount, digest.hexdigest()


def _compute(
    empty: Settings,
    file: Path,
    sha256: str,
    manifest: dict[str, Any],
    damaged: tuple[str, ...],
    expected: str | None,
    tell: Callable[[str], None],
) -> BundleVerification:
    about = manifest["release"]
    with database.connect(empty) as connection:
        release = find_release(connection, about["period"], about["revision"], about["scheme_id"])
        findings = check_alone(connection, release.release_id, tell)
        if expected is not None and not release.hash.startswith(expected.lower()):
            what = f"哈希为 {release.hash}，不是所给的 {expected}"
            findings.append(Finding(release.release_id, release.period, release.revision, "release", None, what))
        query = "select inputs from publish.release where release_id = %s"
        recorded = database.one(connection, query, [release.release_id])[0]
        changed = _changed_inputs(connection, release, recorded)
        run = run_of(connection, release)
    differences = recompute(empty, release, run, recorded, tell, take=_give_repeats, some=None, every_case=True)
    return BundleVerification(
        str(file),
        sha256,
        release,
        manifest["cases"],
        manifest["code"] | {"request": manifest["request"]},
        damaged,
        tuple(findings),
        changed,
        tuple(differences),
        tuple(TakenAsGiven(one["what"], one["zh"], one["en"]) for one in manifest["taken"]),
        tuple(_notes(manifest, release, recorded)),
    )


def _give_repeats(connection: psycopg.Connection) -> None:
    """What repeats what is taken, not recomputed: no text and no address is at hand."""
    connection.execute(
        sql.SQL(
            "update {facts} as cases set repeat_of_case_id = given.repeat_of_case_id,"
            " repeat_similarity = given.repeat_similarity, repeat_basis = given.repeat_basis"
            " from {facts} as same left join public.taken_repeat as given on same.case_id = given.case_id"
            " where cases.case_id = same.case_id"
        ).format(facts=sql.Identifier(SCRATCH, "fct_case"))
    )


def _changed_inputs(connection: psycopg.Connection, release: Release, recorded: dict) -> tuple[str, ...]:
    """Which recorded inputs the rows of the bundle tell otherwise, and which decisions it lacks.

    Their reasons are not in it: the hash of decisions and points by hand is taken as it is.
    """
    points = recorded["manual_points"]["ids"]
    asked = (release.build_id, release.config_version, release.scheme_id, points, Jsonb(recorded["code"]))
    today = database.one(connection, "select publish.inputs(%s, %s, %s, %s::bigint[], %s)", asked)[0]
    hashed = {name: told for name, told in today.items() if name not in ("decisions", "manual_points")}
    changed = [name for name, told in hashed.items() if told != recorded[name]]
    if today["decisions"]["count"] != recorded["decisions"]["count"]:
        changed.append(f"decisions：{today['decisions']['count']} 项，发布时 {recorded['decisions']['count']} 项")
    lost = connection.execute(_LOST, {"build_id": release.build_id, "points": points}).fetchall()
    return (*changed, *(f"{kind} {number}：包内没有" for kind, number in lost))


_LOST = """
select taken.kind, taken.decision_id
from publish.decisions_of(%(build_id)s) as taken
where not exists (
    select from assess.exclusion as made where taken.kind = 'exclusion' and made.exclusion_id = taken.decision_id
    union all
    select from assess.violation as made where taken.kind = 'violation' and made.violation_id = taken.decision_id
    union all
    select from assess.appeal_decision as made inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where taken.kind = 'appeal_decision' and made.decision_id = taken.decision_id
)
union all
select 'manual_point', given.point
from unnest(%(points)s::bigint[]) as given (point)
where not exists (select from assess.manual_point as made where made.manual_point_id = given.point)
order by 1, 2
"""


def _notes(manifest: dict[str, Any], release: Release, recorded: dict) -> Iterator[str]:
    if code_version() != recorded["code"]:
        yield (
            f"发布时的代码版本为 {recorded['code']['version']}（{recorded['code']['sha256'][:12]}），"
            f"现为 {code_version()['version']}（{code_version()['sha256'][:12]}）；重算的差异可能由此而来"
        )
    if manifest["facts_of_build_id"] != release.build_id:
        yield (
            f"重复件的认定取自构建 {manifest['facts_of_build_id']} 的事实，本次发布依据构建 {release.build_id}；"
            "按重复件计算的指标若有差异，可能由此而来"
        )
