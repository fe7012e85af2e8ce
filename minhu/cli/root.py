"""The command line's root, on which every room hangs its commands."""

import os
from contextlib import suppress

import click

from minhu.cli.common import Commands
from minhu.errors import MinhuError
from minhu.settings import Settings


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.pass_context
def minhu(context: click.Context) -> None:
    """民呼: from hotline feeds to unit scores, every row accounted for."""
    context.obj = settings = Settings.from_env()
    is_started = os.path.exists(settings.home / "airflow" / "wanted")  # False too where the home is not ours to look at
    if is_started and context.invoked_subcommand not in ("up", "down"):
        _revive(settings)


def _revive(settings: Settings) -> None:
    """Says where all that kept the services alive was killed, and starts it again."""
    from minhu.services.control import revive

    with suppress(MinhuError):  # the command may well work all the same, and says itself what it lacks
        if revive(settings):
            click.echo("minhu: the services of this home had been killed; they are being started again", err=True)
