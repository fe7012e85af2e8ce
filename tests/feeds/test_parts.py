"""A file read in parts is the file read at once, wherever the parts end; and what a part repeats is seen."""

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, delimited, encodings
from minhu.feeds.formats.read import Aside, read, read_parts
from minhu.feeds.seen import Seen

PIECES = st.sampled_from(
    [
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        '"',
        '""',
        '"a,b"',
        '"一\n二"',
        "工单",
        "x",
        " ",
        "\r",
        "合计,3\n",
        "合计,3\r",
        "é",
        "𠮷",
        "\n\n",
        "\x00",
    ]
)


def at_once_and_in_parts(path, format, size, monkeypatch, footer=64) -> tuple:
    """What is read, with its account: one block, then many."""
    told = []
    for block in (1 << 23, size):
        aside = Aside()
        monkeypatch.setattr(encodings, "BLOCK", block)
        monkeypatch.setattr(delimited, "_FOOTER", footer)
        try:
            rows = read(path, format, aside).with_columns(pl.col(pl.String).replace("", None))
            told.append((rows, sorted(map(str, aside.notes))))
        except BadDelivery as refusal:
            told.append(refusal.code)
    return tuple(told)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=60), st.integers(16, 48), st.sampled_from(["utf-8", "gb18030", "auto"]))
def test_where_a_part_ends_changes_nothing(tmp_path_factory, pieces, size, encoding):
    text = "名称,值\n" + "".join(pieces)
    path = tmp_path_factory.mktemp("parts") / "file.csv"
    path.write_bytes(text.encode("gb18030" if encoding == "gb18030" else "utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        whole, parts = at_once_and_in_parts(path, Csv(type="csv", encoding=encoding), size, patch)
    if isinstance(whole, str) or isinstance(parts, str):
        assert whole == parts
    else:
        assert parts[0].select(whole[0].columns).equals(whole[0])
        assert set(parts[0].columns) == set(whole[0].columns)
        assert parts[1] == whole[1]


def test_parts_are_read_fast_and_slowly_as_each_needs(tmp_path, monkeypatch):
    lines = [f"{at},值{at}" for at in range(200)]
    lines[50] = "50"  # too few fields: this part line by line, the next ones fast again
    lines[150] = '150,五"英寸'  # a quote out of place: the rest line by line
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["a,b", *lines]))
    monkeypatch.setattr(encodings, "BLOCK", 256)
    slow = []
    real = delimited._Reading._slowly
    monkeypatch.setattr(delimited._Reading, "_slowly", lambda self, text: slow.append(len(text)) or real(self, text))
    rows = read(path, Csv(type="csv"))
    assert rows["a"].to_list() == [str(at) for at in range(200)]
    assert rows["b"][150] == '五"英寸'
    assert rows["__field_count"].drop_nulls().to_list() == [1]
    assert len(slow) == 2 and sum(slow) < path.stat().st_size / 2


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-8-sig"])
def test_no_character_is_cut_by_a_block(tmp_path, monkeypatch, encoding):
    text = "a,b\n" + "".join(f"民呼𠮷é{at},x\n" for at in range(50))
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode(encoding))
    for size in range(8, 24):
        monkeypatch.setattr(encodings, "BLOCK", size)
        with path.open("rb") as file:
            blocks = list(encodings.utf8_blocks(file, encoding, encodings.Places()))
        assert b"".join(blocks).decode() == text
        assert len(blocks) > 10
        for block in blocks:
            block.decode()


def test_a_character_that_breaks_off_late_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "BLOCK", 16)
    path = tmp_path / "file.csv"
    path.write_bytes(b"a,b\n" + "民,呼\n".encode("gb18030") * 20 + b"\xff\xff,1\n")
    with pytest.raises(BadDelivery, match="declared GB18030, but the bytes are neither") as refusal:
        read(path, Csv(type="csv", encoding="gb18030"))
    assert refusal.value.code == "WRONG_ENCODING"


@pytest.mark.parametrize("footer", [{"footer_rows": 2}, {"footer_pattern": "合计|制表"}])
@pytest.mark.parametrize("size", range(8, 60, 3))
def test_a_footer_is_found_though_a_block_ends_in_it(tmp_path, monkeypatch, footer, size):
    path = tmp_path / "file.csv"
    path.write_text("a,b\n" + "".join(f"{at},x\n" for at in range(30)) + "合计,30\n制表人,\n\n\n")
    whole, parts = at_once_and_in_parts(path, Csv(type="csv", **footer), size, monkeypatch)
    assert whole[0].height == 30
    assert parts[0].equals(whole[0])
    assert parts[1] == whole[1]
    assert "'FOOTER_LINES', 'column': '', 'rows': 2" in str(whole[1])


def test_a_big_file_never_is_in_memory_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "BLOCK", 1 << 12)
    path = tmp_path / "file.csv"
    path.write_text("a,b\n" + "".join(f"{at},{'x' * 50}\n" for at in range(5_000)))
    heights = [part.height for part in read_parts(path, Csv(type="csv"))]
    assert sum(heights) == 5_000
    assert max(heights) < 150


def test_what_was_seen_in_any_part_is_known():
    draw = random.Random(7)
    hashes = [f"{draw.randrange(400):032x}" for _ in range(3_000)]
    seen, kept = Seen(), []
    for start in range(0, len(hashes), 90):
        part = pl.DataFrame({"row_hash": hashes[start : start + 90], "at": range(start, min(start + 90, len(hashes)))})
        kept += seen.only_new(part)["at"].to_list()
    assert kept == sorted(hashes.index(given) for given in set(hashes))
    assert len(seen._runs) <= 9
