"""What pages say is said in both languages, and nothing is kept that is said no more."""

import ast
from collections.abc import Iterator

from minhu.portal import shown
from minhu.portal.pages import help as of_help


def told() -> Iterator[str]:
    """Everything that templates and pages say in Chinese."""
    made = shown.environment("zh")
    for template in sorted((shown.HERE / "templates").iterdir()):
        for _, _, message in made.extract_translations(template.read_text(encoding="utf-8")):
            first = message if isinstance(message, str) or message is None else message[0]
            yield from [first] if first else []
    for file in shown.HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _name(node) in ("said", "tell"):
                texts = (one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant))
                yield from (text for text in texts if isinstance(text, str) and not text.isascii())
    yield from (name for _, name, _ in shown.PAGES)
    yield from of_help.QUESTIONS.values()
    for pair in of_help.TERMS:
        yield from pair


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def test_every_sentence_is_there_in_english_and_no_other():
    assert {" ".join(text.split()) for text in told()} == set(shown.english())


def test_a_sentence_keeps_what_is_put_into_it():
    for chinese, english in shown.english().items():
        for text in (chinese, english):
            assert text.count("%(") == text.count("%") - 2 * text.count("%%") or "{" in text or "%" not in text
        names = {part.split(")")[0] for part in chinese.split("%(")[1:]}
        assert names == {part.split(")")[0] for part in english.split("%(")[1:]}, chinese
        fields = {part.split("}")[0] for part in chinese.split("{")[1:]}
        assert fields == {part.split("}")[0] for part in english.split("{")[1:]}, chinese


def test_every_room_has_its_question():
    assert {path for path, _, _ in shown.PAGES} == set(of_help.QUESTIONS)
