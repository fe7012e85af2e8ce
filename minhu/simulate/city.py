"""The city behind the feeds: its registers, who is competent for what, and how good each unit really is."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from minhu.config import City as CitySettings
from minhu.declaration import read_declaration
from minhu.errors import BadDeclaration
from minhu.simulate.worktime import WorkClock, day_number

FOCUS_DISTRICT = "330112"
"""临安, the example district: over-represented, and its thin departments get enough cases to be scored."""
_FOCUS_SHARE = 0.3
_SECOND_SHARE = 0.15
_CITY_SHARE = 0.06
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Units:
    """The register as vectors, one place per unit. The latent qualities are what the scores should bring out."""

    code: np.ndarray
    names: tuple[tuple[str, ...], ...]
    """What each is called: its name, its aliases, its code."""
    renamed_on: np.ndarray
    """The day number of its first renaming after the start, or of its merging into another unit; −1: none."""
    later_names: tuple[tuple[str, ...], ...]
    """What each is called from then on; empty for most."""
    peer_group: np.ndarray
    district: np.ndarray
    has_duty: np.ndarray
    sign_rate: np.ndarray
    close_rate: np.ndarray
    slowness: np.ndarray
    solving: np.ndarray
    return_rate: np.ndarray

    def find(self, code: str) -> int | None:
        at = np.flatnonzero(self.code == code)
        return int(at[0]) if len(at) else None


@dataclass(frozen=True)
class City:
    """Places (``town`` …), topics (``leaf`` …: one place per leaf of the category tree) and units."""

    units: Units
    clock: WorkClock
    town: np.ndarray
    town_name: np.ndarray
    district: np.ndarray
    district_name: np.ndarray
    town_weight: np.ndarray
    leaf: np.ndarray
    leaf_name: np.ndarray
    branch_name: np.ndarray
    root_name: np.ndarray
    leaf_weight: np.ndarray
    levelled_weight: np.ndarray
    problems: tuple[tuple[str, ...], ...]
    candidates: np.ndarray
    """leaf × town × (department, town or street, public body, city level): places in ``units``."""
    chances: np.ndarray
    """leaf × town × the same four: how often each is in charge."""

    def competent(self, leaf: np.ndarray, town: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The unit in charge of each case."""
        steps = np.cumsum(self.chances[leaf, town], axis=1)
        pick = (rng.random((len(leaf), 1)) * steps[:, -1:] >= steps).sum(axis=1)
        return self.candidates[leaf, town, np.minimum(pick, 3)]

    def other_unit(self, leaf: np.ndarray, town: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """Another unit that might be in charge: the street where it was the department, and the other way round."""
        options = self.candidates[leaf, town]
        return np.where(options[:, 1] != unit, options[:, 1], options[:, 0])


def load_city(config: Path, on: date, rng: np.random.Generator) -> City:
    """The city as ``config`` describes it on a day. ``rng`` decides the latent qualities."""
    settings = read_declaration(CitySettings, config / "city.yml")
    clock = WorkClock.of(_register(config, "calendar.csv"), (settings.morning, settings.afternoon))
    units = _units(_register(config, "units.csv"), _register(config, "unit_succession.csv"), on, rng)
    areas = _register(config, "areas.csv")
    topics = yaml.safe_load((_HERE / "topics.yml").read_text(encoding="utf-8"))
    leaves = _leaves(_register(config, "categories.csv"), topics)
    towns = _towns(areas, _register(config, "units.csv"))
    seat = areas.filter(pl.col("area_level") == "city")["area_code"][0]
    candidates, chances = _competence(leaves, towns, units, topics, seat)
    return City(
        units=units,
        clock=clock,
        town=towns["area_code"].to_numpy(),
        town_name=towns["area_name"].to_numpy(),
        district=towns["parent_area_code"].to_numpy(),
        district_name=towns["district_name"].to_numpy(),
        town_weight=_town_weights(towns),
        leaf=leaves["category_code"].to_numpy(),
        leaf_name=leaves["category_name"].to_numpy(),
        branch_name=leaves["branch_name"].to_numpy(),
        root_name=leaves["root_name"].to_numpy(),
        leaf_weight=_normalised(np.array([topics[code]["weight"] for code in leaves["category_code"]], float)),
        levelled_weight=_levelled(leaves, topics),
        problems=tuple(tuple(topics[code]["problems"]) for code in leaves["category_code"]),
        candidates=candidates,
        chances=chances,
    )


def _register(config: Path, name: str) -> pl.DataFrame:
    path = config / name
    if not path.exists():
        raise BadDeclaration(f"{path}: there is no such file; the simulator needs the city's registers")
    return pl.read_csv(path, infer_schema=False)


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def _units(register: pl.DataFrame, successions: pl.DataFrame, on: date, rng: np.random.Generator) -> Units:
    day = on.isoformat()
    is_valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
    rows = register.filter(is_valid).sort("unit_code")
    count = rows.height
    is_weak = rng.random(count) < 0.07  # a few units are bad at keeping time, and everybody knows them
    renamings = _renamings(register, successions, day)
    changes = [renamings.get(code, (-1, ())) for code in rows["unit_code"]]
    return Units(
        code=rows["unit_code"].to_numpy(),
        names=_names(rows),
        renamed_on=np.array([since for since, _ in changes]),
        later_names=tuple(names for _, names in changes),
        peer_group=rows["peer_group"].to_numpy(),
        district=rows["unit_code"].str.slice(0, 6).to_numpy(),
        has_duty=(rows["has_24h_duty"] == "true").to_numpy(),
        sign_rate=np.where(is_weak, rng.uniform(0.84, 0.92, count), rng.beta(150, 4, count)),
        close_rate=np.where(is_weak, rng.uniform(0.78, 0.9, count), rng.beta(110, 4.5, count)),
        slowness=rng.uniform(0.25, 0.75, count),
        solving=rng.beta(16, 4, count),
        return_rate=rng.beta(2, 40, count),
    )


def _names(rows: pl.DataFrame) -> tuple[tuple[str, ...], ...]:
    """What each row's unit is called: name, aliases without their dates, code."""
    aliases = rows["aliases"].fill_null("").str.replace_all("@[^;]*", "").str.split(";")
    return tuple(
        (name, *filter(None, others), code)
        for name, others, code in zip(rows["unit_name"], aliases, rows["unit_code"], strict=True)
    )


def _renamings(register: pl.DataFrame, successions: pl.DataFrame, day: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """The first new name of each unit after a day: a later row of its own, or the unit that it went into."""
    own = register.with_columns(old="unit_code", on="valid_from")
    others = (
        successions.filter(pl.col("succession_kind").is_in(["renamed", "merged"]))
        .join(register, left_on="new_unit_code", right_on="unit_code")
        .filter(pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("effective_on")))
        .sort("valid_from")
        .unique(["old_unit_code", "effective_on"], keep="first", maintain_order=True)
        .with_columns(unit_code="new_unit_code", old="old_unit_code", on="effective_on")
    )
    first = (
        pl.concat([own, others.select(own.columns)])
        .filter(pl.col("on") > day)
        .sort("old", "on")
        .unique("old", keep="first", maintain_order=True)
    )
    days = [day_number(date.fromisoformat(on)) for on in first["on"]]
    return dict(zip(first["old"], zip(days, _names(first), strict=True), strict=True))


def _towns(areas: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
    """Towns with their district and population (of the town's own government in the register)."""
    districts = areas.select(parent_area_code="area_code", district_name="area_name")
    code = pl.col("unit_code").str.replace("-T", "")
    people = register.filter(pl.col("unit_kind") == "town").select(
        area_code=code, population=pl.col("population").cast(pl.Int64)
    )
    return (
        areas.filter(pl.col("area_level") == "town")
        .join(districts, on="parent_area_code", how="left")
        .join(people.unique("area_code", keep="last"), on="area_code", how="left")
        .with_columns(pl.col("population").fill_null(30_000))
        .sort("area_code")
    )


def _town_weights(towns: pl.DataFrame) -> np.ndarray:
    """Calls grow slower than people."""
    weights = towns["population"].to_numpy().astype(float) ** 0.4
    is_focus = (towns["parent_area_code"] == FOCUS_DISTRICT).to_numpy()
    if not is_focus.any() or is_focus.all():
        return _normalised(weights)
    share = np.where(is_focus, _FOCUS_SHARE, 1 - _FOCUS_SHARE)
    return share * weights / np.where(is_focus, weights[is_focus].sum(), weights[~is_focus].sum())


def _leaves(categories: pl.DataFrame, topics: dict) -> pl.DataFrame:
    names = categories.select("category_code", "category_name")
    leaves = categories.filter(pl.col("category_code").is_in(list(topics)))
    if leaves.height != len(topics):
        missing = sorted(set(topics) - set(leaves["category_code"]))
        raise BadDeclaration(f"categories.csv: the simulated city knows {missing[0]!r}, the register does not")
    branch = names.rename({"category_code": "branch", "category_name": "branch_name"})
    root = names.rename({"category_code": "root", "category_name": "root_name"})
    return (
        leaves.with_columns(
            branch=pl.col("category_code").str.slice(0, 4), root=pl.col("category_code").str.slice(0, 2)
        )
        .join(branch, on="branch", how="left")
        .join(root, on="root", how="left")
        .sort("category_code")
    )


def _levelled(leaves: pl.DataFrame, topics: dict) -> np.ndarray:
    """Leaf weights under which every department that has a leaf is called about equally often."""
    units = np.array([topics[code]["unit"] for code in leaves["category_code"]])
    _, group, size = np.unique(units, return_inverse=True, return_counts=True)
    return _normalised(1 / size[group])


def _competence(
    leaves: pl.DataFrame, towns: pl.DataFrame, units: Units, topics: dict, seat: str
) -> tuple[np.ndarray, np.ndarray]:
    """Who may be in charge of each leaf in each town, and how often. ``seat``: area code of the city itself."""
    place = {code: at for at, code in enumerate(units.code)}
    districts = towns["parent_area_code"].to_list()
    own = [place.get(f"{code[:6]}-T{code[6:]}", -1) for code in towns["area_code"]]
    candidates = np.zeros((leaves.height, towns.height, 4), dtype=np.int32)
    chances = np.zeros(candidates.shape)
    for at, code in enumerate(leaves["category_code"]):
        topic = topics[code]
        town, city_share = topic.get("town", 0.0), topic.get("city_share", _CITY_SHARE)
        second = _SECOND_SHARE if "second" in topic else 0.0
        city = place.get(f"{seat}-{topic.get('city', topic['unit'])}", -1)
        for spot, district in enumerate(districts):
            unit = place.get(f"{district}-{topic['unit']}", -1)
            body = place.get(f"{district}-{topic['second']}", -1) if second else -1
            local = min(town * (1.4 if district == FOCUS_DISTRICT else 1), 0.9)
            central = city_share / 2 if district == FOCUS_DISTRICT else city_share
            found = np.array([unit, own[spot], body, city])
            share = np.array([max(1 - local - second - central, 0.02), local, second, central]) * (found >= 0)
            if not share.any():  # a register of another shape: anybody may be in charge
                found, share = np.full(4, (at * 31 + spot) % len(units.code)), np.array([1.0, 0, 0, 0])
            candidates[at, spot] = np.where(found >= 0, found, found.max())
            chances[at, spot] = share / share.sum()
    return candidates, chances
