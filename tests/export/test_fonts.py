"""A Chinese font comes with the set-up or is found; a missing one is a clear error, never boxes."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from minhu.errors import Refused
from minhu.export.bulletin import bulletin, cover
from minhu.export.words import Words
from minhu.paper import fonts, to_pdf
from minhu.paper.fonts import Faces, find_faces
from tests.export.given import report


@pytest.fixture(scope="module")
def latin(tmp_path_factory) -> Path:
    """A font that can write nothing but A."""
    path = tmp_path_factory.mktemp("fonts") / "latin.ttf"
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({ord("A"): "A"})
    empty = TTGlyphPen(None).glyph()
    builder.setupGlyf({".notdef": empty, "A": empty})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "A": (500, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Latin", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_the_set_up_brings_both_faces():
    faces = find_faces({})
    assert (faces.sans.path.name, faces.serif.path.name) == ("NotoSansSC-Regular.otf", "NotoSerifSC-Regular.otf")


def test_without_the_package_a_font_of_the_machine_is_taken(monkeypatch):
    own = find_faces({}).sans.path
    monkeypatch.setattr(fonts, "PACKAGE", "no_such_package")
    monkeypatch.setattr(fonts, "SANS", ("/nowhere/a.ttc", str(own)))
    monkeypatch.setattr(fonts, "SERIF", ())
    faces = find_faces({})
    assert faces.sans.path == own and faces.serif == faces.sans


def test_no_font_at_all_is_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(fonts, "PACKAGE", "no_such_package")
    monkeypatch.setattr(fonts, "SANS", ())
    monkeypatch.setattr(fonts, "SERIF", ())
    with pytest.raises(
        Refused, match=r"no Chinese font was found: install .*fonts-noto-cjk.* or set MINHU_FONT"
    ) as told:
        find_faces({})
    assert "\n" not in str(told.value)


def test_the_font_named_must_exist_and_write_chinese(latin, tmp_path):
    text = tmp_path / "notes.ttf"
    text.write_text("no font")
    for path, complaint in (
        (tmp_path / "gone.ttf", "there is no such file"),
        (latin, "no font with Chinese characters"),
        (text, "no font with Chinese characters"),
    ):
        with pytest.raises(Refused, match=complaint):
            find_faces({"MINHU_FONT": str(path)})


def test_one_font_named_serves_as_both_and_two_as_each():
    own = find_faces({})
    one = find_faces({"MINHU_FONT": str(own.serif.path)})
    assert one == Faces(own.serif, own.serif)
    two = find_faces({"MINHU_FONT": f"{own.sans.path}, {own.serif.path}"})
    assert two == own


def test_a_character_without_a_glyph_is_refused_and_never_a_box():
    faces = find_faces({})
    rare = chr(0x2FFFE)
    with pytest.raises(Refused, match=r"lacks U\+2FFFE; set MINHU_FONT"):
        given, words = report(title=f"镇{rare}办法"), Words("zh")
        to_pdf.as_pdf(bulletin(given, words), cover(given, words), faces)
