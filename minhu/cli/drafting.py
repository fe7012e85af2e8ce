"""Schemes as they are written: how a sentence of the paper is said."""

import json

import click

from minhu.cli.common import as_json_option, example
from minhu.cli.scores import schemes


@schemes.command(
    "say",
    epilog=example("minhu schemes say 满意率每高 1 个百分点加 0.2 分", "minhu schemes say 一票否决 --json"),
)
@click.argument("sentence", nargs=-1, required=True)
@as_json_option
def schemes_say(sentence: tuple[str, ...], as_json: bool) -> None:
    """How SENTENCE of a 考核办法 is said in a scheme: the nearest of what cities write, each with its YAML.

    A key or a function that you would have expected (veto, rank) is taken, too.
    """
    from minhu.schemes.sayings import kinds, say

    asked = " ".join(sentence)
    found = say(asked)
    if as_json:
        nearest = [near.saying.model_dump(exclude={"tried"}) | {"nearness": round(near.nearness, 2)} for near in found]
        listed = [{"name_zh": kind.name_zh, "name_en": kind.name_en} for kind in kinds()]
        click.echo(json.dumps({"asked": asked, "nearest": nearest, "kinds": listed}, ensure_ascii=False, indent=2))
    elif found:
        click.echo("\n\n".join(near.saying.as_text for near in found))
    else:
        click.echo(f"没有与“{asked}”相近的说法。已有的说法（全文见 docs/schemes.md）：")
        for kind in kinds():
            click.echo(f"{kind.name_zh}：{'；'.join(saying.sentence for saying in kind.sayings)}")
