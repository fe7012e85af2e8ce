"""What stands in columns that the warehouse does not map, by what such columns are usually called.

Names, ID numbers and staff numbers for the private ones; a column with another name stays blank.
"""

from collections.abc import Callable

import polars as pl

from minhu.simulate.notes import REPLIES
from minhu.simulate.texts import id_numbers, names, pick

Filler = Callable[[pl.DataFrame], pl.Series]


def fill(column: str, rows: pl.DataFrame) -> pl.Series:
    filler = _FILLERS.get(column, _blank)
    return filler(rows)


def _blank(rows: pl.DataFrame) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)


def _constant(word: str) -> Filler:
    return lambda rows: pl.Series([word], dtype=pl.String).new_from_index(0, rows.height)


def _person(step: int) -> Filler:
    return lambda rows: names(rows["dice"].to_numpy().astype(int) * step + step)


def _staff(rows: pl.DataFrame) -> pl.Series:
    return (rows["dice"].cast(pl.Int64) % 180 + 1001).cast(pl.String)


def _id_number(rows: pl.DataFrame) -> pl.Series:
    """Three in ten people gave it."""
    given = (rows["dice"] % 10 < 3).arg_true()
    some = rows[given]
    return _blank(rows).scatter(given, id_numbers(some["dice"].to_numpy(), some["more_dice"].to_numpy()))


def _taken(column: str) -> Filler:
    return lambda rows: rows[column].cast(pl.String)


def _when_closed(words: list[str], otherwise: str | None = None) -> Filler:
    def said(rows: pl.DataFrame) -> pl.Series:
        return pl.select(
            pl.when(rows["is_closed"])
            .then(pick(words, rows["dice"].to_numpy()))
            .otherwise(pl.lit(otherwise, pl.String))
        ).to_series()

    return said


def _number(low: int, count: int) -> Filler:
    return lambda rows: (rows["dice"].cast(pl.Int64) % count + low).cast(pl.String)


def _repeated(rows: pl.DataFrame) -> pl.Series:
    return rows["repeat_no"].is_not_null().replace_strict({True: "是", False: "否"}, return_dtype=pl.String)


_FILLERS: dict[str, Filler] = {
    **dict.fromkeys(("来电人", "诉求人", "申请人", "市民姓名", "户名", "userName"), _person(1)),
    **dict.fromkeys(("受理员", "转办人姓名", "经办人"), _person(7)),
    **dict.fromkeys(("身份证号", "证件号码", "idCard"), _id_number),
    **dict.fromkeys(("受理员工号", "登记人工号", "操作人工号", "回访员工号", "转办人工号"), _staff),
    "一级分类": _taken("root_name"),
    "二级分类": _taken("branch_name"),
    **dict.fromkeys(("四级分类", "service_name"), _taken("leaf_name")),
    **dict.fromkeys(("办理情况", "处理结果", "status_notes", "公开答复内容"), _when_closed(REPLIES)),
    **dict.fromkeys(("是否回复", "联系群众", "是否解决"), _when_closed(["是", "是", "是", "是", "否"], "否")),
    "诉求属实": _when_closed(["是", "是", "否"]),
    "超职责诉求": _constant("否"),
    "办理天数": _constant("5"),
    "转办意见": _constant("请按职责办理并答复市民"),
    "回访要求": _constant("需回访"),
    "是否重复": _repeated,
    "重复工单号": _taken("repeat_no"),
    "用户编号": _number(30_000_000, 65_000),
    "userAgent": lambda rows: pick(["android", "ios", "web"], rows["dice"].to_numpy()),
    "attachCount": _number(0, 4),
    "zipcode": _constant("310000"),
}
