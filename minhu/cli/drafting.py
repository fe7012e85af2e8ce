"""Schemes as they are written: a first draft, and how a sentence of the paper is said."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minhu.cli.common import as_json_option, example, tell
from minhu.cli.scores import schemes
from minhu.settings import Settings

if TYPE_CHECKING:
    from minhu.schemes.draft import Answers


@schemes.command(
    "new",
    epilog=example(
        "minhu schemes new nanhu",
        "minhu schemes new nanhu --answers answers.yml --out draft.yml",
    ),
)
@click.argument("code", metavar="[ID]", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="The file; config/schemes/ID.yml unless given.")
@click.option(
    "--answers", type=click.Path(path_type=Path), help="A YAML file with the answers; asked for unless given."
)
@click.pass_obj
def schemes_new(settings: Settings, code: str | None, out: Path | None, answers: Path | None) -> None:
    """Draft a scheme from a few answers: who is scored, by which rates, what is added and taken off, which bands.

    Asks on a terminal; what you do not know yet is left out by Enter, stands there as an example and is marked. The
    same answers may stand in a file, docs/schemes.md shows one. A file that exists is never written over.
    """
    from minhu.config.registers import unit_counts
    from minhu.errors import Refused
    from minhu.schemes.draft import draft

    if answers is None and not is_terminal():
        raise Refused(
            "there is no terminal to ask on: give the answers in a file, --answers FILE.yml"
            "（没有终端可以提问：把回答写在文件里，用 --answers 给出）"
        )
    _refuse_what_exists(out)
    _refuse_no_code(code)
    units = unit_counts(settings.config)
    given = _from_file(answers, code) if answers else _from_terminal(settings, code, units)
    path = out or settings.config / "schemes" / f"{given.scheme_id}.yml"
    _write(path, draft(given))
    for group in given.peer_groups:
        if group.code not in units:
            tell(f"注意：units.csv 没有 {group.code} 这个同类组，它不会有单位")
    named = str(path) if out else given.scheme_id
    click.echo(f"已写入 {path}。标 example: true 的逐项改成文件上的数。接下来：")
    click.echo(f"  minhu schemes check {named}                     # 有没有写错，各组共多少分")
    click.echo(f"  minhu schemes try {named} --inputs counts.csv   # 试算：拿上一期的数对一对")
    click.echo(f"  minhu schemes explain {named}                   # 还原成文字，与文件对照")


def is_terminal() -> bool:
    return sys.stdin.isatty()


def _refuse_what_exists(path: Path | None) -> None:
    from minhu.errors import Refused

    if path is not None and path.exists():
        raise Refused(f"{path} exists and is not written over（已经有这个文件，不覆盖）")
    if path is not None and not path.parent.is_dir():
        raise Refused(f"there is no folder {path.parent}（没有这个目录）")


def _refuse_no_code(code: str | None) -> None:
    from pydantic import TypeAdapter, ValidationError

    from minhu.schemes.language.values import Code

    try:
        TypeAdapter(Code | None).validate_python(code)
    except ValidationError:
        raise click.UsageError(f"{code!r} is no id: small letters, digits and _（小写字母、数字、下划线）") from None


def _write(path: Path, text: str) -> None:
    _refuse_what_exists(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_what_exists(path)


def _from_file(path: Path, code: str | None) -> "Answers":
    from minhu.declaration import read_page, validate
    from minhu.errors import Refused
    from minhu.schemes.draft import Answers

    page = read_page(path)
    told = page.data.get("id", code)
    if code is not None and told != code:
        raise Refused(f"{path} says id: {told}, the command {code}（两处的代码不同）")
    return validate(Answers, page.data | ({"id": code} if code is not None else {}), page)


def _from_terminal(settings: Settings, code: str | None, units: dict[str, int]) -> "Answers":
    from pydantic import ValidationError

    from minhu.cli.asked import asked
    from minhu.declaration.wording import worded
    from minhu.errors import Refused
    from minhu.schemes import load_schemes
    from minhu.schemes.draft import Answers

    if code is not None:
        _refuse_what_exists(settings.config / "schemes" / f"{code}.yml")
    names = {group.code: group.name_zh for one in load_schemes(settings.config) for group in one.peer_groups}
    told = asked(code, {group: f"{names.get(group, group)}（{count} 个单位）" for group, count in units.items()})
    try:
        return Answers.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        slip = "；".join(reversed(worded(first["type"], first["msg"], first.get("ctx", {}), first["input"])))
        click.echo(f"# 改好后存成文件，用 --answers 给出\n{_as_yaml(told)}")
        raise Refused(f"{slip}（你的回答已列在上面）") from None


def _as_yaml(told: dict) -> str:
    from minhu.declaration.writing import flow

    return "\n".join(f"{key}: {flow(value)}" for key, value in told.items())


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
