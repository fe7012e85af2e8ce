"""Everything a city declares, read and held against itself, as entries by (kind, key)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from minhu.config.city import City
from minhu.config.registers import Entries, put, read_registers
from minhu.declaration import Declared, read_declaration, read_page
from minhu.declaration.page import Keys, dotted
from minhu.declaration.slips import Gathered, Slip, nearest, refuse, slip
from minhu.errors import BadDeclaration
from minhu.feeds import Feed, load_feeds
from minhu.feeds.feed import Delivery, Mapping
from minhu.feeds.time_formats import unread_moment
from minhu.schemes.scheme import Scheme, load_schemes


def read_config(folder: Path) -> Entries:
    """Everything a city declares, by (kind, key). Raises BadDeclaration naming file, line and key.

    Only ``city.yml`` and ``feeds/`` are required: a register, calendar or scheme that is not there is empty.
    """
    try:
        return _read(folder)
    except BadDeclaration:
        _check_files(folder)
        raise  # each file is right by itself


def _read(folder: Path) -> Entries:
    entries: Entries = {}
    city = read_declaration(City, folder / "city.yml")
    # Entries of their own: a rule of repeats decides over the cases of its days, the others over no fact.
    own = set("retention feeds repeats readings schemes gaming quality feed_quality bulletin witnesses appeals".split())
    own |= {"arrivals", "build", "pools", "notify"}
    put(entries, "city", city.code, city.model_dump(mode="json", exclude=own), folder / "city.yml")
    for key, data in city.repeat_rules().items():
        put(entries, "repeat_rule", key, data, folder / "city.yml")
    for readings in city.readings:
        data = readings.model_dump(mode="json")
        put(entries, "reading", data["valid_from"], data, folder / "city.yml")
    put(entries, "retention", "*", city.retention.model_dump(mode="json"), folder / "city.yml")
    for feed in load_feeds(folder):
        path = folder / "feeds" / f"{feed.code}.yml"
        put(entries, "feed", feed.code, _feed_data(feed), path)
        if feed.unit:  # an entry of its own: who runs a feed decides over no fact
            put(entries, "feed_unit", feed.code, {"feed_code": feed.code, "unit_code": feed.unit}, path)
        put(entries, "retention", feed.code, feed.retention_under(city.retention).model_dump(mode="json"), path)
        for delivery in feed.deliveries:
            data = {"feed_code": feed.code, "delivery": delivery.name, "kind": delivery.kind, "mode": delivery.mode}
            put(entries, "delivery", f"{feed.code}/{delivery.name}", data, path)
            put(entries, "arrival", f"{feed.code}/{delivery.name}", _arrival_data(feed, delivery, city), path)
    read_registers(folder, entries)
    _check_owners(entries, folder)
    for scheme in load_schemes(folder, schemes_in_force(folder)):
        _check_rows(entries, folder / "schemes" / f"{scheme.scheme_id}.yml", scheme)
        for kind, key, data in scheme.entries():
            put(entries, kind, key, data, folder / "schemes")
    dated: dict[str, tuple[Declared, ...]] = {
        "gaming": city.gaming,
        "feed_quality": city.feed_quality,
        "quality": city.quality,
        "appeal_term": city.appeals,
        "bulletin": city.bulletin,
    }
    for kind, listed in dated.items():
        for terms in listed:
            data = terms.model_dump(mode="json", exclude={"example"})
            put(entries, kind, data["valid_from"], data, folder / "city.yml")
    return entries


def _check_files(folder: Path) -> None:
    """Reads every file. Raises BadDeclaration naming every slip of them all."""
    gathered = Gathered()
    with gathered.slips():
        read_declaration(City, folder / "city.yml")
    with gathered.slips():
        load_feeds(folder)
    with gathered.slips():
        read_registers(folder, {})
    with gathered.slips():
        load_schemes(folder)
    gathered.tell()


def schemes_in_force(folder: Path) -> tuple[str, ...]:
    """The ids of the schemes that score the city: those that ``city.yml`` names, or all there are."""
    named = read_declaration(City, folder / "city.yml").schemes
    return tuple(path.stem for path in sorted((folder / "schemes").glob("*.yml"))) if named is None else named


def check_feeds(folder: Path) -> dict[str, int]:
    """Reads the whole configuration and counts it. Raises BadDeclaration, also where `city.yml` counts otherwise."""
    entries, declared = read_config(folder), load_feeds(folder)
    _try_formats(folder, declared)
    pinned = read_declaration(City, folder / "city.yml").feeds
    counts = {role: sum(feed.role == role for feed in declared) for role in ("hotline", "response")}
    for role, number in pinned.items():
        if counts[role] != number:
            path = folder / "city.yml"
            en = (
                f"feeds.{role} says {number}, {folder / 'feeds'} holds {counts[role]}; bring the lost declaration back,"
                " or put the new number there"
            )
            zh = f"feeds.{role} 写的是 {number}，feeds 文件夹里有 {counts[role]} 个；找回丢失的声明，或改写这个数"
            raise slip(path, read_page(path).place(("feeds", role))[1], "", en, zh)
    return {
        "hotline_feeds": counts["hotline"],
        "response_feeds": counts["response"],
        "deliveries": sum(len(feed.deliveries) for feed in declared),
        "units": len({data["unit_code"] for (kind, _), data in entries.items() if kind == "unit"}),
        "schemes": sum(kind == "scheme" for kind, _ in entries),
    }


def _try_formats(folder: Path, declared: Iterable[Feed]) -> None:
    """Writes a moment by each format of times and reads it back."""
    slips = []
    for feed in declared:
        path = folder / "feeds" / f"{feed.code}.yml"
        for keys, format in _formats(feed):
            if (text := unread_moment(format)) is not None:
                en, zh = f"{format!r} does not read {text!r}, which it writes", f"{format} 写出的 {text} 自己读不回来"
                slips.append(Slip(path, read_page(path).place(keys)[1], dotted(keys), en, zh))
    refuse(slips)


def _formats(feed: Feed) -> Iterator[tuple[Keys, str]]:
    for at, delivery in enumerate(feed.deliveries):
        mapped: list[tuple[Keys, Mapping]] = [
            (("columns", name), mapping) for name, mapping in delivery.columns.items()
        ]
        for number, milestone in enumerate(delivery.milestones):
            mapped += [(("milestones", number, "columns", name), one) for name, one in milestone.columns.items()]
        for format in delivery.formats:
            yield ("deliveries", at, "formats"), format
        for keys, mapping in mapped:
            yield from ((("deliveries", at, *keys, "formats"), format) for format in mapping.formats)


def _arrival_data(feed: Feed, delivery: Delivery, city: City) -> dict:
    """When a delivery is to come. An entry of its own: it decides over no fact."""
    terms = feed.arrival_of(delivery, city.arrivals)
    if terms.pool and terms.pool not in city.pools:
        known = ", ".join(city.pools) or "none"
        raise BadDeclaration(
            f"{feed.code}/{delivery.name}: arrival.pool: city.yml declares no pool {terms.pool!r} (pools: {known})"
        )
    said = terms.model_dump(exclude={"retries", "timeout_minutes", "priority", "pool"})
    return {"feed_code": feed.code, "delivery": delivery.name, "timezone": feed.timezone, **said}


def _feed_data(feed: Feed) -> dict:
    """What decides over facts. A key that says what holds anyway is left out: a new key is no change of the feed."""
    said = {
        name: getattr(feed, name)
        for name in ("another_lead", "return_requests", "extension_requests")
        if getattr(feed, name) != Feed.model_fields[name].default
    }
    return said | {
        "feed_code": feed.code,
        "feed_name": feed.name,
        "owner": feed.owner,
        "feed_role": feed.role,
        "feed_group": feed.group,
        "limit_source": feed.limits,
    }


def _check_rows(entries: Entries, path: Path, scheme: Scheme) -> None:
    """Every hotline, category and area that a scheme asks for is declared: of others no row would ever count."""
    known = {"feeds": "feed", "categories": "category", "areas": "area"}
    slips = []
    of_parts = [
        (("indicators", at, "parts", no), part)
        for at, one in enumerate(scheme.indicators)
        for no, part in enumerate(one.parts)
    ]
    for place, indicator in [*((("indicators", at), one) for at, one in enumerate(scheme.indicators)), *of_parts]:
        for key, kind in known.items():
            for code in (getattr(indicator.rows, key) if indicator.rows else None) or ():
                if (kind, code) in entries:
                    continue
                near = next(iter(nearest(code, [one for of, one in entries if of == kind])), None)
                en, zh = f"there is no {kind} {code!r} in the configuration", f"配置里没有 {code}"
                hint = (f"; {near}?", f"；是 {near} 吗？") if near else ("", "")
                line = read_page(path).place((*place, "rows", key))[1]
                slips.append(Slip(path, line, ".".join(map(str, (*place, "rows", key))), en + hint[0], zh + hint[1]))
    refuse(slips)


def _check_owners(entries: Entries, folder: Path) -> None:
    """Every unit that runs a feed is in the register."""
    units = {data["unit_code"] for (kind, _), data in entries.items() if kind == "unit"}
    slips = []
    for (kind, feed), data in entries.items():
        if kind == "feed_unit" and data["unit_code"] not in units:
            path = folder / "feeds" / f"{feed}.yml"
            en = f"there is no unit {data['unit_code']!r} in {folder / 'units.csv'}"
            line = read_page(path).place(("unit",))[1]
            slips.append(Slip(path, line, "unit", en, f"units.csv 里没有单位 {data['unit_code']}"))
    refuse(slips)
