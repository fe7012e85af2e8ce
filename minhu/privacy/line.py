"""One line of free text, as people write reasons."""


def mask_line(text: str) -> str:
    """`mask_text` of one text."""
    import polars as pl  # here: most commands that could be given a reason are given none

    from minhu.privacy.text import mask_text

    return mask_text(pl.Series([text]))[0]
