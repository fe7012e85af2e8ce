"""The Chinese fonts of PDF files and charts: named by the installation, come with the set-up, or found on the machine.

Two faces, as official papers are set: 黑体 (sans) for headings and tables, 宋体 (serif) for the title and the text. A
face is used only when it has every character of the report, so that nobody ever reads a box.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from minhu.errors import Refused

VARIABLE = "MINHU_FONT"
PACKAGE = "pylopdf_fonts_zh_cn"
PROBE = "民呼通报，0%"
"""A font that lacks one of these is no Chinese font."""
SANS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/adobe-source-han-sans/SourceHanSansCN-Regular.otf",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/wqy-zenhei/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/STHeiti Light.ttc",
    "/Library/Fonts/Arial Unicode.ttf",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simhei.ttf",
)
SERIF = (
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-serif-cjk/NotoSerifCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSerifCJK-Regular.ttc",
    "/System/Library/Fonts/Supplemental/Songti.ttc",
    "C:/Windows/Fonts/simsun.ttc",
)


@dataclass(frozen=True)
class Face:
    """A font file. ``index``: which face of a collection (.ttc), the Simplified Chinese one where there is one."""

    path: Path
    index: int
    characters: frozenset[int]


@dataclass(frozen=True)
class Faces:
    sans: Face
    serif: Face

    def check(self, texts: Iterable[str]) -> None:
        """Raises Refused when a character of ``texts`` is not in both faces: it would print as a box."""
        wanted = {ord(character) for text in texts for character in text if not character.isspace()}
        missing = sorted(wanted - (self.sans.characters & self.serif.characters))
        if missing:
            told = " ".join(f"U+{code:04X}" for code in missing[:10])
            more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            raise Refused(
                f"the font {self.sans.path.name} or {self.serif.path.name} lacks {told}{more}; set {VARIABLE} to a "
                "font file that has them"
            )


def find_faces(env: os._Environ | dict = os.environ) -> Faces:
    """The faces to write with: those of ``MINHU_FONT`` (one file, or two, sans before serif, with a comma between), of
    the package that comes with the set-up, or of the machine. Raises Refused naming what to install."""
    named = [Path(part.strip()) for part in env.get(VARIABLE, "").split(",") if part.strip()]
    if named:
        return Faces(_given(named[0]), _given(named[1] if named[1:] else named[0]))
    folder = _packaged()
    sans = _first([*([folder / "NotoSansSC-Regular.otf"] if folder else []), *map(Path, SANS)])
    serif = _first([*([folder / "NotoSerifSC-Regular.otf"] if folder else []), *map(Path, SERIF)])
    either = sans or serif
    if either is None:
        raise Refused(
            "no Chinese font was found: install the package pylopdf-fonts-zh-cn (`make setup` does) or, on Debian, "
            f"`apt-get install fonts-noto-cjk`, or set {VARIABLE} to a .ttf, .otf or .ttc file"
        )
    return Faces(sans or either, serif or either)


def _packaged() -> Path | None:
    found = find_spec(PACKAGE)
    return Path(found.origin).parent if found and found.origin else None


def _first(paths: Iterable[Path]) -> Face | None:
    return next((face for path in paths if path.is_file() and (face := _face(path))), None)


def _given(path: Path) -> Face:
    if not path.is_file():
        raise Refused(f"{VARIABLE} names {path}, and there is no such file")
    face = _face(path)
    if face is None:
        raise Refused(f"{VARIABLE} names {path}, which is no font with Chinese characters; name a .ttf, .otf or .ttc")
    return face


@cache
def _face(path: Path) -> Face | None:
    """The face of a file that can write Chinese, Simplified before others. None when it has none."""
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    is_collection = path.suffix.lower() in (".ttc", ".otc")
    try:
        with path.open("rb") as file:
            fonts = TTCollection(file, lazy=True).fonts if is_collection else [TTFont(file, lazy=True)]
            told = [(frozenset(font.getBestCmap() or ()), font["name"].getDebugName(1) or "") for font in fonts]
    except (TTLibError, OSError, KeyError, AssertionError):
        return None
    able = [at for at, (characters, _) in enumerate(told) if characters >= set(map(ord, PROBE))]
    if not able:
        return None
    index = next((at for at in able if told[at][1].endswith((" SC", " CN", " GB"))), able[0])
    return Face(path, index, told[index][0])
