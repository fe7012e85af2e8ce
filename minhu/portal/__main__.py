"""`python -m minhu.portal --port N`: the pages as `minhu up` keeps them; their logins have been made before."""

import click

from minhu.portal.serve import serve
from minhu.settings import Settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True)
def main(port: int) -> None:
    """Serve the pages on this machine alone, until asked to end."""
    serve(Settings.from_env(), port)


if __name__ == "__main__":
    main()
