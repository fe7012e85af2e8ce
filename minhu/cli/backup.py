"""Backups and the way back."""

import json
from datetime import datetime
from pathlib import Path

import click

from minhu.cli.common import as_json_option, example, tell
from minhu.cli.root import minhu
from minhu.settings import Settings

FOLDER = click.Path(path_type=Path, file_okay=False)


@minhu.command(
    epilog=example(
        "minhu backup --to /backup/minhu --keys-to /safe/minhu-keys",
        "minhu backup --to /backup/minhu --keys-to /safe/minhu-keys --dump",
        "minhu backup --archive-to /backup/minhu-wal",
    )
)
@click.option("--to", type=FOLDER, help="Where backups lie, each in a folder of its own.")
@click.option("--keys-to", type=FOLDER, help="Where the keys go: another place than the backups.")
@click.option("--dump", "is_dump", is_flag=True, help="The warehouse alone, from any server.")
@click.option("--archive-to", type=FOLDER, help="Keep the log there, to come back to any moment.")
@as_json_option
@click.pass_obj
def backup(
    settings: Settings, to: Path | None, keys_to: Path | None, is_dump: bool, archive_to: Path | None, as_json: bool
) -> None:
    """Take a backup while everything runs: database, landing zone, configuration; the keys by a path of their own."""
    from minhu.backup import archive
    from minhu.backup import backup as run

    if archive_to:
        archive(settings, archive_to)
        click.echo(f"the log is archived in {archive_to} from the next start on: minhu down && minhu up, then a backup")
    if not archive_to or to:
        if not (to and keys_to):
            raise click.UsageError("say --to and --keys-to")
        done = run(settings, to, keys_to, is_dump=is_dump, tell=tell)
        if as_json:
            click.echo(json.dumps(done.summary(), ensure_ascii=False))
            return
        size = f"{done.bytes / 1e6:.1f} MB, {done.landed} landed files"
        click.echo(f"{done.folder}: {done.kind}, {size}; keys in {done.keys}")


@minhu.command(
    epilog=example(
        "MINHU_HOME=/srv/minhu minhu restore /backup/minhu/20261129T020000 --keys /safe/minhu-keys/20261129T020000",
        "… --wal /backup/minhu-wal --until '2026-11-29 08:15:00'",
    )
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--keys", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True, help="Its keys.")
@click.option("--wal", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The archived log.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d %H:%M:%S"]), help="A moment in the city's time; needs --wal.")
@as_json_option
@click.pass_obj
def restore(
    settings: Settings, folder: Path, keys: Path, wal: Path | None, until: datetime | None, as_json: bool
) -> None:
    """Bring a backup into an empty home, and say what is not as it was. Exits 1 where something differs."""
    from minhu.backup import restore as run

    at = until.replace(tzinfo=settings.zone) if until else None
    done = run(settings, folder, keys, wal=wal, until=at, tell=tell)
    if as_json:
        click.echo(json.dumps(done.summary(), ensure_ascii=False, indent=2))
    else:
        click.echo(f"{settings.home}：{done.taken_at.astimezone(settings.zone):%Y-%m-%d %H:%M} 的备份已恢复")
        for line in done.differences or ["与备份时一致：批次、行数、发布链、访问日志、落地文件、配置"]:
            click.echo(f"  {line}")
    if done.differences:
        raise click.exceptions.Exit(1)
