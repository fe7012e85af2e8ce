"""Schemes, scores, explanations, exports."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from minhu.cli.common import Commands, OneOf, as_json_option, example, show, tell
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def schemes() -> None:
    """The assessment schemes."""


@schemes.command("list", epilog=example("minhu schemes list --json"))
@as_json_option
@click.pass_obj
def schemes_list(settings: Settings, as_json: bool) -> None:
    """List the schemes with their versions, and which of them score this city."""
    from minhu.config import schemes_in_force
    from minhu.schemes import load_schemes

    in_force = schemes_in_force(settings.config)
    show(
        [
            {
                "scheme": s.scheme_id,
                "version": s.scheme_version,
                "title": s.title,
                "valid_from": s.valid_from,
                "valid_to": s.valid_to,
                "in_force": s.scheme_id in in_force,
            }
            for s in load_schemes(settings.config)
        ],
        as_json,
    )


@schemes.command(
    "check", epilog=example("minhu schemes check", "minhu schemes check lianyungang", "minhu schemes check draft.yml")
)
@click.argument("named", nargs=-1, metavar="[ID|FILE]...")
@as_json_option
@click.pass_obj
def schemes_check(settings: Settings, named: tuple[str, ...], as_json: bool) -> None:
    """Read schemes, all of them unless named; the first mistake is told with file, line and key."""
    from minhu.config import schemes_in_force
    from minhu.schemes import find_scheme, load_schemes

    load_schemes(settings.config, schemes_in_force(settings.config))
    chosen = [find_scheme(settings.config, one) for one in named] if named else load_schemes(settings.config)
    show(
        [
            {
                "scheme": s.scheme_id,
                "version": s.scheme_version,
                "indicators": len(s.indicators),
                "points": {group.name_zh: str(s.points_max(group.code, s.valid_from)) for group in s.peer_groups},
                "periods": list(s.periods),
                "changes": [str(day) for day in s.changes],
                "examples": len(s.examples),
            }
            for s in chosen
        ],
        as_json,
    )


@schemes.command(
    "try",
    epilog=example(
        "minhu schemes try lianyungang --inputs counts.csv",
        "minhu schemes try draft.yml --inputs counts.csv --json",
        "minhu schemes try draft.yml --inputs counts.xlsx --out points.xlsx",
    ),
)
@click.argument("scheme", metavar="ID|FILE")
@click.option(
    "--inputs", type=click.Path(path_type=Path), required=True, help="CSV or XLSX with the counts; see below."
)
@click.option("--out", type=click.Path(path_type=Path), help="An XLSX with each point as a formula, too.")
@as_json_option
@click.pass_obj
def schemes_try(settings: Settings, scheme: str, inputs: Path, out: Path | None, as_json: bool) -> None:
    """Points from given counts (试算), without a database.

    The file has the columns unit, peer_group, period, indicator_code, numerator, denominator, value; of a workbook the
    sheet `inputs` or 试算 is read, else the first. Give counts, or a value: a rate in percent (0-100), a number of
    items, or points that are entered by hand. What is not given is empty: the scheme says what that is worth, and the
    result names it.
    """
    from minhu.schemes import find_scheme, try_scheme
    from minhu.scoring import render_trial

    if out is not None:
        _assert_workbook(out, inputs)
    trial = try_scheme(find_scheme(settings.config, scheme), inputs)
    if out is not None:
        from minhu.export import put
        from minhu.export.trial_book import as_workbook

        put(out, as_workbook(trial))
        tell(f"已写入 {out}：得分都是公式，旁边是系统得分和差。以系统得分为准。")
    click.echo(
        json.dumps(trial.as_json(), ensure_ascii=False, indent=2) if as_json else render_trial(trial), nl=as_json
    )


def _assert_workbook(out: Path, inputs: Path) -> None:
    from minhu.errors import Refused
    from minhu.export import assert_can_put

    if out.suffix.lower() != ".xlsx":
        raise Refused(f"{out}: the formulas need a workbook: name it .xlsx")
    if out.exists() and inputs.exists() and out.samefile(inputs):
        raise Refused(f"{out} holds the counts; write to another file")
    assert_can_put(out)


@schemes.command("simulate", epilog=example("minhu schemes simulate linan 2026-10 --file draft.yml"))
@click.argument("scheme", metavar="ID")
@click.argument("period")
@click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="The draft.")
@as_json_option
@click.pass_obj
def schemes_simulate(settings: Settings, scheme: str, period: str, file: Path, as_json: bool) -> None:
    """Score PERIOD, which was scored by the scheme ID, under the draft: who moves, and why. Nothing is kept."""
    from minhu.schemes import read_scheme
    from minhu.scoring import render_what_if, what_if

    found = what_if(settings, scheme, read_scheme(file), period)
    told = json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else render_what_if(found)
    click.echo(told, nl=as_json)


@schemes.command("schema", epilog=example("minhu schemes schema > scheme.schema.json"))
def schemes_schema() -> None:
    """Print the JSON Schema of a scheme, for editors that complete YAML."""
    from minhu.schemes.schema import json_schema

    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


@schemes.command(
    "explain", epilog=example("minhu schemes explain linan", "minhu schemes explain draft.yml --on 2026-10-01")
)
@click.argument("scheme")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day whose numbers are told; its first unless given.")
@click.pass_obj
def schemes_explain(settings: Settings, scheme: str, on: datetime | None) -> None:
    """Tell SCHEME (an id or a file) back in Chinese as the 考核办法 that it says, to be held beside the paper."""
    from minhu.schemes import find_scheme
    from minhu.schemes.told import told

    click.echo(told(find_scheme(settings.config, scheme), on.date() if on else None))


@schemes.command("diff", epilog=example("minhu schemes diff linan draft.yml"))
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@as_json_option
@click.pass_obj
def schemes_diff(settings: Settings, old: str, new: str, as_json: bool) -> None:
    """Compare two schemes, each an id or a file, and say in words what differs."""
    from minhu.schemes import compare, find_scheme

    changes = compare(find_scheme(settings.config, old), find_scheme(settings.config, new))
    if as_json:
        show([{**vars(change), "text": change.text} for change in changes], as_json=True)
    else:
        click.echo("\n".join(change.text for change in changes) or "两个版本内容相同")


@minhu.command(epilog=example("minhu score 2026-10", "minhu score 2026-10 --scheme linan --json"))
@click.argument("period")
@click.option("--scheme", "scheme_id", help="The only one in force unless given.")
@as_json_option
@click.pass_obj
def score(settings: Settings, period: str, scheme_id: str | None, as_json: bool) -> None:
    """Score the units over PERIOD (YYYY-MM or YYYY)."""
    from minhu.scoring import render_scores
    from minhu.scoring import score as run

    result = run(settings, period, scheme_id)
    click.echo(json.dumps(result.as_json(), ensure_ascii=False, default=str) if as_json else render_scores(result))


@minhu.command(
    epilog=example(
        "minhu explain 太湖源镇 2026-10",
        "minhu explain 太湖源镇 2026-10 --indicator close_on_time",
        "minhu explain 太湖源镇 2026-10 --revision 1",
    )
)
@click.argument("unit")
@click.argument("period")
@click.option("--indicator", help="The code of one; all unless given.")
@click.option("--scheme", "scheme_id", help="Of several that scored the period; the newest score unless given.")
@click.option("--revision", type=click.IntRange(1), help="Of what is published; the newest score unless given.")
@as_json_option
@click.pass_obj
def explain(
    settings: Settings,
    unit: str,
    period: str,
    indicator: str | None,
    scheme_id: str | None,
    revision: int | None,
    as_json: bool,
) -> None:
    """Say why UNIT lost its points in PERIOD: rows, clocks and events, files, and what each row is worth.

    A unit's login asks about its own unit, and is told what is published.
    """
    from minhu import database
    from minhu.database.logins import group_of
    from minhu.scoring import explain as run
    from minhu.scoring import render

    if not revision:
        with database.connect(settings) as connection:
            is_published_alone = group_of(connection) == "unit"
    if revision or is_published_alone:
        from minhu.publish.stored_release import explain_release

        found = explain_release(settings, unit, period, indicator, revision=revision, scheme_id=scheme_id)
    else:
        found = run(settings, unit, period, indicator, scheme_id=scheme_id)
    click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2, default=str) if as_json else render(found))


@minhu.command(
    epilog=example(
        "minhu fairness 2026-10", "minhu fairness 2026-10 --scheme linan --json", "minhu fairness 2026-10 --draft"
    )
)
@click.argument("period")
@click.option("--scheme", "scheme_id", help="Needed where several schemes scored the period.")
@click.option("--revision", type=click.IntRange(1), help="Of what is published; the newest unless given.")
@click.option("--draft", "is_draft", is_flag=True, help="The newest score, not what is published.")
@as_json_option
@click.pass_obj
def fairness(
    settings: Settings, period: str, scheme_id: str | None, revision: int | None, is_draft: bool, as_json: bool
) -> None:
    """Say how far the order of PERIOD may be trusted: what of it is chance, what decides it, who stands on an edge.

    Advice for evaluators and auditors: it moves no point. What is published is looked at, else the newest score.
    """
    from minhu.publish.fairness import fairness as run
    from minhu.scoring.render_fairness import render_fairness

    if revision and is_draft:
        raise click.UsageError("a revision is published: leave out --revision or --draft")
    found = run(settings, period, scheme_id, revision=revision, is_draft=is_draft)
    told = json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else render_fairness(found)
    click.echo(told, nl=as_json)


def _formats() -> Iterable[str]:
    from minhu.export import FORMATS

    return FORMATS


def _tables() -> Iterable[str]:
    from minhu.export.to_csv import TABLES

    return TABLES


class Export(Commands):
    """`minhu export PERIOD` beside commands of its own: what is none of their names is a period.

    None of theirs can be one. Without a name it is the command of a period, its help and its faults too.
    """

    def __init__(self, name: str, of_period: click.Command, **extra: Any):
        super().__init__(name, **extra)
        self.of_period = of_period

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in self.commands:
            return super().make_context(info_name, args, parent, **extra)
        return self.of_period.make_context(info_name, args, parent, **extra)


@click.command(
    epilog=example(
        "minhu export 2026-10 --out 2026-10.xlsx",
        "minhu export 2026-10 --out 通报.pdf --number '〔2026〕10号'",
        "minhu export 2026-10 --out 通报.docx --public",
        "minhu export 2026-10 --out 太湖源镇.pdf --unit 太湖源镇",
        "minhu export 2026-10 --out rows.csv --table evidence",
        "minhu export 2026-10 --out 首次发布.xlsx --revision 1",
        "minhu export 2026-10 --out 试算.xlsx --draft",
        "minhu export mart --help",
    )
)
@click.argument("period")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--format", "form", type=OneOf(_formats), help="By the name of --out.")
@click.option("--scheme", "scheme_id", help="Needed where several schemes scored the period.")
@click.option("--revision", type=click.IntRange(1), help="Of what is published; the newest unless given.")
@click.option("--draft", "is_draft", is_flag=True, help="The newest score, not what is published; marked as a draft.")
@click.option("--unit", "units", multiple=True, help="Code or name; its lost points row by row. May be repeated.")
@click.option("--public", "is_public", is_flag=True, help="Without small counts (under 5) and without any row.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--table", type=OneOf(_tables), help="Of a CSV; indicators unless given.")
@click.option("--number", help="The document number (文号) of the bulletin.")
@click.option("--why", help="What it is for; it stands in the access log with your database login.")
@click.pass_obj
def export_period(
    settings: Settings,
    period: str,
    out: Path,
    form: str | None,
    scheme_id: str | None,
    revision: int | None,
    is_draft: bool,
    units: tuple[str, ...],
    is_public: bool,
    lang: Literal["zh", "en"],
    table: str | None,
    number: str | None,
    why: str | None,
) -> None:
    """Write the scores of PERIOD: a workbook, CSV, JSON, or the bulletin (通报) as DOCX or PDF.

    What is published is shown, its newest revision unless told; a period of which nothing is published is a draft.
    `minhu export mart` writes the marts instead.
    """
    from minhu.export import FORMATS, Asked
    from minhu.export import export as run

    form = form or out.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise click.UsageError(f"name the format with --format: {', '.join(FORMATS)}")
    if table and form != "csv":
        raise click.UsageError("--table goes with --format csv")
    if revision and is_draft:
        raise click.UsageError("a revision is published: leave out --revision or --draft")
    asked = Asked(form, lang, units, is_public, table or "indicators", number, revision, is_draft)
    report = run(settings, period, out, asked, scheme_id, why)
    standing = f"revision {report.release.revision} as published" if report.release else "draft (未发布·试算)"
    click.echo(f"{out}: {report.scheme_id} {report.period}, {sum(1 for _ in report.units())} units, {standing}")


export = Export("export", export_period, help="Write the scores of a period as a file, or the marts as a folder.")
minhu.add_command(export)


@export.command(
    "mart",
    epilog=example(
        "minhu export mart --out marts --why '月度分析'",
        "minhu export mart --out marts --table case_wide --table score_wide --why '月度分析'",
        "minhu export mart --format parquet --partition month --out marts --why '月度分析' --json",
    ),
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder; only what changed is written.")
@click.option("--format", "form", type=click.Choice(["parquet"]), default="parquet", show_default=True)
@click.option("--partition", type=click.Choice(["month"]), default="month", show_default=True)
@click.option("--table", "tables", multiple=True, help="All that your login reads unless given. May be repeated.")
@click.option("--why", required=True, help="What it is for; it stands in the access log with your database login.")
@as_json_option
@click.pass_obj
def export_mart(
    settings: Settings, out: Path, form: str, partition: str, tables: tuple[str, ...], why: str, as_json: bool
) -> None:
    """Write the marts as Parquet files by month, all of one moment, with a manifest.

    You get what your login reads. Into the folder of an earlier export go only the months whose rows changed.
    """
    from minhu.export.mart import export_mart as run

    done = run(settings, out, why=why, tables=tables, tell=lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{out}: {done.tables} tables, {done.rows:,} rows, {done.bytes / 1e6:,.1f} MB; {len(done.written)} files"
        f" written, {len(done.removed)} removed, {done.kept} as they were"
    )
    if done.kept:
        for path in (*done.written, *(f"{path} (removed)" for path in done.removed)):
            click.echo(f"  {path}")
    if done.left_out:
        click.echo(f"left out, as this login does not read them: {', '.join(done.left_out)}")
