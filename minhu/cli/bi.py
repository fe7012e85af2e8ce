"""The marts for BI tools: a bundle for Superset, a package for dbt's semantic layer."""

from pathlib import Path

import click

from minhu.cli.common import Commands, example
from minhu.cli.root import minhu
from minhu.settings import Settings

_OUT = click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder, or a file that ends in .zip."
)


@minhu.group(cls=Commands)
def bi() -> None:
    """Datasets, metrics, charts and boards of the marts, as BI tools are given them."""


@bi.command("superset", epilog=example("minhu bi superset --out minhu.zip"))
@_OUT
@click.option("--address", help="The warehouse as Superset reaches it: postgresql+psycopg2://NAME:XXXXXXXXXX@HOST/DB.")
@click.pass_obj
def bi_superset(settings: Settings, out: Path, address: str | None) -> None:
    """Write the bundle of assets that Apache Superset 6.1 imports; its password is given at the import.

    Unless an address is given it names the standby, where there is one.
    """
    from minhu import database
    from minhu.bi import superset

    if address is None and (apart := database.read_url(settings)):
        address = superset.address(apart, "bi")
    with database.connect(settings) as connection:
        texts = superset.files(connection, address) if address else superset.files(connection)
    _write(out, texts)


@bi.command("semantic", epilog=example("minhu bi semantic --out semantic"))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the package.")
def bi_semantic(out: Path) -> None:
    """Write the metrics as a dbt package of semantic models; no build reads it."""
    from minhu.bi.semantic import package

    _write(out, package())


def _write(out: Path, texts: dict[str, str]) -> None:
    if out.suffix == ".zip":
        from minhu.bi.superset import bundle

        out.write_bytes(bundle(texts))
    else:
        for name, text in texts.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(texts)} files")
