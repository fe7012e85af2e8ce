"""The command line's root, on which every room hangs its commands."""

import click

from minhu.cli.common import Commands
from minhu.settings import Settings


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.pass_context
def minhu(context: click.Context) -> None:
    """民呼: from hotline feeds to unit scores, every row accounted for."""
    context.obj = Settings.from_env()
