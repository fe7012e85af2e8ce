"""Rows of a file that were there before, over as many parts as the file has, in 16 bytes a row."""

import numpy as np
import polars as pl

_Run = tuple[np.ndarray, np.ndarray]


class Seen:
    """Remembers the rows it was shown by 128 bits of their hashes, as sorted runs that double in size."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def only_new(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``rows`` without those whose ``row_hash`` was shown before, here or in an earlier part."""
        first, second = (rows["row_hash"].hash(seed).to_numpy() for seed in (1, 2))
        order = np.argsort(first, kind="stable")
        first, second = first[order], second[order]  # sorted, they are looked up in the order of memory
        is_new = rows["row_hash"].is_first_distinct().to_numpy()[order]
        for run in self._runs:
            is_new &= ~_is_in(first, second, run)
        self._remember((first[is_new], second[is_new]))
        if is_new.all():
            return rows
        kept = np.zeros(rows.height, dtype=bool)
        kept[order] = is_new
        return rows.filter(kept)

    def _remember(self, run: _Run) -> None:
        while self._runs and len(self._runs[-1][0]) <= len(run[0]):
            first, second = (np.concatenate(pair) for pair in zip(self._runs.pop(), run, strict=True))
            order = np.argsort(first, kind="stable")
            run = first[order], second[order]
        self._runs.append(run)


def _is_in(first: np.ndarray, second: np.ndarray, run: _Run) -> np.ndarray:
    """Two rows that share the first half and not the second are as good as impossible, and are both kept."""
    at = np.searchsorted(run[0], first).clip(max=max(len(run[0]) - 1, 0))
    return (run[0][at] == first) & (run[1][at] == second) if len(run[0]) else np.zeros(len(first), dtype=bool)
