"""The federation: what a city gives its province, and the cities that a province reads."""

import os

import click

from minhu.cli.common import Commands, as_json_option, example, show, tell
from minhu.cli.root import minhu
from minhu.settings import Settings

COLUMNS = [
    "city_code",
    "city_name",
    "is_reachable",
    "trouble",
    "read_at",
    "reaches_on",
    "releases",
    "period",
    "revision",
]


@minhu.group(cls=Commands)
def federation() -> None:
    """A province over the warehouses of its cities: what they published and count by day, no case."""


@federation.command("grant", epilog=example("minhu federation grant zhejiang"))
@click.argument("name")
@click.pass_obj
def federation_grant(settings: Settings, name: str) -> None:
    """In a city: make a login by which a province reads it, and nothing but what is published and counted by day.

    Its password is shown once and kept nowhere. `minhu logins drop` takes the login away.
    """
    from minhu import database
    from minhu.publish import federation

    database.migrate(settings)
    password = federation.grant(settings, name)
    click.echo(f"{name}: {password}")
    url, _ = database.without_password(database.url(settings))
    place = url.rpartition("@")[2].partition("?")[0]
    click.echo(f"in the province: minhu federation join CITY_CODE postgresql://{name}@{place}", err=True)


@federation.command(
    "join",
    epilog=example("minhu federation join hangzhou postgresql://zhejiang@10.1.0.5:5432/warehouse?sslmode=require"),
)
@click.argument("city_code")
@click.argument("url")
@click.pass_obj
def federation_join(settings: Settings, city_code: str, url: str) -> None:
    """In a province: join a city and read it. A city that is joined already has moved, or has another login.

    The password is asked for, or taken from MINHU_CITY_PASSWORD: what stands in a command line everybody reads.
    """
    from minhu import database
    from minhu.publish import federation

    database.migrate(settings)
    federation.cities(settings)  # who may not join a city is told so before he is asked
    password = os.environ.get("MINHU_CITY_PASSWORD") or click.prompt("password", hide_input=True, err=True)
    click.echo(federation.join(settings, city_code, url, password, tell).en)


@federation.command("leave", epilog=example("minhu federation leave hangzhou"))
@click.argument("city_code")
@click.pass_obj
def federation_leave(settings: Settings, city_code: str) -> None:
    """In a province: remove a city with all that was copied of it."""
    from minhu.publish import federation

    federation.leave(settings, city_code)
    click.echo("removed")


@federation.command("list", epilog=example("minhu federation list --json"))
@as_json_option
@click.pass_obj
def federation_list(settings: Settings, as_json: bool) -> None:
    """List the cities: whether they answered when last asked, how far their data reach, their newest release."""
    from minhu.publish import federation

    show([city.as_json() for city in federation.cities(settings)], as_json, COLUMNS)


@federation.command("refresh", epilog=example("minhu federation refresh", "minhu federation refresh hangzhou ningbo"))
@click.argument("city_codes", nargs=-1)
@click.pass_obj
def federation_refresh(settings: Settings, city_codes: tuple[str, ...]) -> None:
    """Read the cities, one by one; exit 1 where one could not be read: its figures stay those that it had."""
    from minhu.publish import federation

    found = federation.refresh(settings, city_codes, tell)
    click.echo("\n".join(city.en for city in found) or "no city has joined")
    if any(city.trouble for city in found):
        raise click.exceptions.Exit(1)


@federation.command("check", epilog=example("minhu federation check"))
@click.pass_obj
def federation_check(settings: Settings) -> None:
    """Hold each copied row against its hash and its city, and the rights against the catalogue; exit 1 where not so."""
    from minhu.publish import federation

    if found := federation.check(settings, tell):
        click.echo("\n".join(found))
        raise click.exceptions.Exit(1)
    click.echo("all is as it should be")
