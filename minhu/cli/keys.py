"""Keys of the caller tokens and of approvers, and the homes that load with them."""

import os
from pathlib import Path

import click

from minhu.cli.common import Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def keys() -> None:
    """Keys: of the caller tokens, of who approves."""


@keys.command("list", epilog=example("minhu keys list --json"))
@as_json_option
@click.pass_obj
def keys_list(settings: Settings, as_json: bool) -> None:
    """List the caller keys by id: which one writes, which recognise, who holds them. No key is shown."""
    from minhu.load.key_ring import ring

    show([one.summary() for one in ring(settings)], as_json)


@keys.command("export", epilog=example("minhu keys export --to age1… --out keys.age --why '新增一台接入机'"))
@click.option("--to", required=True, help="The age public key of the other home: it alone can open the file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new file.")
@click.option("--why", required=True, help="Stands in the access log.")
@click.pass_obj
def keys_export(settings: Settings, to: str, out: Path, why: str) -> None:
    """Write the keys that all homes of a warehouse share to a file that one of them can open. It is logged."""
    from minhu.load.key_ring import export_keys

    click.echo(f"{out}: {export_keys(settings, to, out, why)} caller keys, for {to.strip()}")


@keys.command("import", epilog=example("minhu keys import keys.age --identity worker.key"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--identity",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The secret half of the age key, as age-keygen writes it.",
)
@click.pass_obj
def keys_import(settings: Settings, file: Path, identity: Path) -> None:
    """Keep the keys of a file that `keys export` wrote; the warehouse is told that this home holds them."""
    from minhu.load.key_ring import import_keys

    fresh = import_keys(settings, file, identity)
    click.echo(f"kept {', '.join(fresh)}" if fresh else "this home held all of them")


@keys.command("approver", epilog=example("minhu keys approver --out ping.pem"))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where the key shall lie.")
@click.option("--bare", is_flag=True, help="Without a passphrase: for a token or a safe that guards it itself.")
def keys_approver(out: Path, bare: bool) -> None:
    """Make a key to sign approvals with, on the approver's own machine; it never enters the warehouse.

    Whoever makes logins registers the public half that is shown: minhu logins key NAME PUBLIC_KEY.
    """
    from minhu.publish.signed import new_key

    given = None
    if not bare:
        given = os.environ.get("MINHU_KEY_PASSPHRASE") or click.prompt(
            "passphrase", hide_input=True, confirmation_prompt=True
        )
    click.echo(new_key(out, given))


@keys.command("rotate", epilog=example("minhu keys rotate", "minhu keys rotate --wait 600"))
@click.option("--wait", type=click.FloatRange(min=0.1), default=10, show_default=True, help="Seconds for loads to end.")
@click.option("--to", help="The id of a key that this home holds already, instead of a new one.")
@click.option("--now", "is_now", is_flag=True, help="Do not wait for homes that lack the key: their loads are refused.")
@click.pass_obj
def keys_rotate(settings: Settings, wait: float, to: str | None, is_now: bool) -> None:
    """Bring a new caller key in the old one's place, between loads; the old one is kept to recognise callers.

    Where other homes load too, it is pending until they hold it: hand it out, then run this again.
    """
    from minhu.load.key_ring import rotate

    done = rotate(settings, to=to, wait_seconds=wait, is_now=is_now)
    if not done.is_switched:
        click.echo(
            f"{done.key_id} is pending, and nothing has changed yet: {', '.join(done.lacking)} lack it. Hand it out"
            " (`minhu keys export`, there `minhu keys import`), then run `minhu keys rotate` again"
        )
        return
    click.echo(f"{done.key_id} is the current key; restart nothing, the next load takes it")
    if done.lacking:
        click.echo(f"refused until they hold it: loads of {', '.join(done.lacking)}", err=True)


@minhu.group(cls=Commands)
def homes() -> None:
    """Homes: the installations that load into this warehouse."""


@homes.command("list", epilog=example("minhu homes list --json"))
@as_json_option
@click.pass_obj
def homes_list(settings: Settings, as_json: bool) -> None:
    """List the homes: machine and folder, where they land files, which keys they hold."""
    from minhu import database
    from minhu.load.key_ring import homes as found

    with database.connect(settings) as connection:
        show([one.summary() for one in found(connection)], as_json)


@homes.command("forget", epilog=example("minhu homes forget 3f2a90c1"))
@click.argument("home_id")
@click.pass_obj
def homes_forget(settings: Settings, home_id: str) -> None:
    """Forget a home that is no more: rotations do not wait for it, and its landing zone binds nobody."""
    from minhu.load.key_ring import forget

    click.echo(f"forgotten: {forget(settings, home_id).told}")
