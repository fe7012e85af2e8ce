"""Tokens of callers, and how one caller stays one caller when the key changes."""

import stat

import polars as pl
import pytest

from minhu.errors import Refused
from minhu.privacy import keys as keys_module
from minhu.privacy.callers import caller_links, mask_phone, tokenise
from minhu.privacy.keys import first_key, kept_keys, key_id, make, put_first
from minhu.settings import Settings

KEY = bytes(32)
SPELT = pl.Series(["13800001111", "+86 138-0000-1111", "１３８００００１１１１", None, "87654321"])


def settings(home) -> Settings:
    return Settings.from_env({"MINHU_HOME": str(home)})


@pytest.fixture(autouse=True)
def no_keys_in_the_environment(monkeypatch):
    monkeypatch.delenv("MINHU_CALLER_KEY", raising=False)
    monkeypatch.delenv("MINHU_CALLER_KEYS_OLD", raising=False)


def test_a_token_is_keyed_and_the_same_for_one_caller():
    one = tokenise(SPELT, KEY)
    assert one["caller_token"][0] == one["caller_token"][1] == one["caller_token"][2]
    assert one["caller_masked"].to_list() == ["138****1111"] * 3 + [None, "******21"]
    assert one["caller_token"][3] is None and one["caller_key_id"][3] is None
    other = tokenise(SPELT, b"\x01" * 32)
    assert other["caller_token"][0] != one["caller_token"][0]
    assert other["caller_key_id"][0] != one["caller_key_id"][0]


def test_a_masked_column_is_the_masked_phone():
    phones = pl.Series(["13800001111", "057187654321", "12", "1", "", "anonymous"])
    masked = tokenise(phones, KEY)["caller_masked"].to_list()
    assert masked == [mask_phone(phone) if phone.isdigit() else None for phone in phones]


def test_keys_are_listed_by_id_and_never_shown(tmp_path, monkeypatch):
    assert kept_keys(settings(tmp_path)) == {}, "no key is made by looking"
    first = first_key(settings(tmp_path))
    assert first_key(settings(tmp_path)) == first
    fresh = make(settings(tmp_path))
    assert list(kept_keys(settings(tmp_path))) == [first.key_id, fresh]
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", "02" * 32)
    kept = kept_keys(settings(tmp_path))
    told = [one.summary() for one in kept.values()]
    assert told[0]["kept_in"] == "MINHU_CALLER_KEYS_OLD" and len(told) == 3
    assert all(one["since"] and one["kept_in"].startswith(str(tmp_path)) for one in told[1:])
    shown = f"{told} {kept}"
    assert not any(one.key.hex() in shown or str(one.key) in shown for one in kept.values())


def test_files_are_their_owners_alone_and_the_key_that_writes_comes_first(tmp_path):
    first = first_key(settings(tmp_path)).key_id
    fresh = make(settings(tmp_path))
    put_first(settings(tmp_path), fresh)
    put_first(settings(tmp_path), fresh)  # again, as after a kill
    assert list(kept_keys(settings(tmp_path))) == [fresh, first]
    files = [path for path in (tmp_path / "secrets").iterdir() if not path.name.endswith(".lock")]
    assert sorted(path.name for path in files) == ["caller-key", f"caller-key.{first}"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_no_key_is_lost_wherever_it_is_stopped(tmp_path, monkeypatch):
    held = {first_key(settings(tmp_path)).key_id, make(settings(tmp_path))}
    real = keys_module._write
    for stop in (1, 2):
        calls = iter(range(1, 9))

        def write(*arguments, calls=calls, stop=stop):
            if next(calls) == stop:
                raise KeyboardInterrupt
            real(*arguments)

        monkeypatch.setattr(keys_module, "_write", write)
        with pytest.raises(KeyboardInterrupt):
            put_first(settings(tmp_path), list(kept_keys(settings(tmp_path)))[1])
        assert set(kept_keys(settings(tmp_path))) == held


def test_keys_from_the_environment_go_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MINHU_CALLER_KEY", "01" * 32)
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", f"{'02' * 32}, {'03' * 32}")
    assert [one.key for one in kept_keys(settings(tmp_path)).values()] == [bytes([n]) * 32 for n in (1, 2, 3)]
    assert first_key(settings(tmp_path)).key == b"\x01" * 32
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", "not hex")
    with pytest.raises(Refused, match="hex digits"):
        kept_keys(settings(tmp_path))


def test_links_join_the_tokens_of_one_caller_across_a_rotation():
    """Cases of two callers before a rotation, cases of one of them after it: what a repeat search partitions by."""
    old, keys = KEY, (b"\x01" * 32, KEY)
    before = tokenise(pl.Series(["13800001111", "13800002222"]), old)
    later = pl.Series(["+86 13800001111", "13800003333", None, "138 0000 1111"])
    after = tokenise(later, keys[0])
    assert set(before["caller_token"]).isdisjoint(after["caller_token"])

    links = caller_links(later, keys)
    assert links.height == 2 and links["earlier_token"].n_unique() == 2  # one per distinct caller, seen before or not
    assert set(links["earlier_key_id"]) == {key_id(old)}
    cases = pl.concat([before, after]).join(links, left_on="caller_token", right_on="earlier_token", how="left")
    caller = cases.select(pl.coalesce("current_token", "caller_token")).to_series().to_list()
    assert caller[0] == caller[2] == caller[5]
    assert len({caller[0], caller[1], caller[3]}) == 3


def test_after_two_rotations_every_earlier_token_leads_to_the_current_one():
    phone = pl.Series(["13800001111"])
    keys = tuple(bytes([n]) * 32 for n in (3, 2, 1))
    tokens = [tokenise(phone, key)["caller_token"][0] for key in keys]
    links = caller_links(phone, keys)
    assert set(links["earlier_token"]) == set(tokens[1:])
    assert links["current_token"].unique().to_list() == tokens[:1]


def test_there_are_no_links_without_an_earlier_key():
    links = caller_links(SPELT, (KEY,))
    assert links.is_empty() and links.columns == ["earlier_token", "earlier_key_id", "current_token"]
