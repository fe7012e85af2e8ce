"""Tokens of callers, and how one caller stays one caller when the key changes."""

import stat

import polars as pl
import pytest

from minhu.errors import Refused
from minhu.privacy.callers import caller_links, mask_phone, tokenise
from minhu.privacy.keys import kept_keys, key_id, rotate
from minhu.privacy.keys import read as caller_keys
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


def test_the_current_key_writes_and_earlier_ones_are_kept_through_two_rotations(tmp_path):
    first = caller_keys(settings(tmp_path))[0]
    ids = [rotate(settings(tmp_path)) for _ in range(2)]
    keys = caller_keys(settings(tmp_path))
    assert len(keys) == 3 and keys[-1] == first
    assert [key_id(key) for key in keys[:2]] == ids[::-1]
    assert tokenise(SPELT, caller_keys(settings(tmp_path))[0])["caller_key_id"][0] == ids[-1]
    files = [path for path in (tmp_path / "secrets").iterdir() if not path.name.endswith(".lock")]
    assert sorted(path.name for path in files) == sorted(
        ["caller-key", f"caller-key.{ids[0]}", f"caller-key.{key_id(first)}"]
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_rotation_that_stopped_half_way_changed_nothing(tmp_path, monkeypatch):
    first = caller_keys(settings(tmp_path))[0]
    monkeypatch.setattr("minhu.privacy.keys.secrets.token_bytes", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rotate(settings(tmp_path))
    assert caller_keys(settings(tmp_path)) == (first,)


def test_keys_are_listed_by_id_and_never_shown(tmp_path, monkeypatch):
    assert kept_keys(settings(tmp_path)) == (), "no key is made by looking"
    first = caller_keys(settings(tmp_path))[0]
    fresh = rotate(settings(tmp_path))
    kept = kept_keys(settings(tmp_path))
    assert [(one.key_id, one.role) for one in kept] == [(fresh, "current"), (key_id(first), "earlier")]
    assert all(one.since and one.kept_in.startswith(str(tmp_path)) for one in kept)
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", "02" * 32)
    told = [one.summary() for one in kept_keys(settings(tmp_path))]
    assert told[1]["kept_in"] == "MINHU_CALLER_KEYS_OLD" and len(told) == 3
    shown = f"{told} {kept_keys(settings(tmp_path))}"
    assert not any(key.hex() in shown or str(key) in shown for key in caller_keys(settings(tmp_path)))


def test_settings_read_the_keys_anew(tmp_path):
    """A process that lives through a rotation does not go on with the key it read before."""
    long_lived = settings(tmp_path)
    first = caller_keys(long_lived)[0]
    fresh = rotate(settings(tmp_path))
    assert key_id(caller_keys(long_lived)[0]) == fresh
    assert caller_keys(long_lived)[1:] == (first,)


def test_keys_from_the_environment_go_first_and_are_not_rotated_here(tmp_path, monkeypatch):
    monkeypatch.setenv("MINHU_CALLER_KEY", "01" * 32)
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", f"{'02' * 32}, {'03' * 32}")
    assert caller_keys(settings(tmp_path)) == (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
    with pytest.raises(Refused, match="MINHU_CALLER_KEYS_OLD"):
        rotate(settings(tmp_path))
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", "not hex")
    with pytest.raises(Refused, match="hex digits"):
        _ = caller_keys(settings(tmp_path))


def test_links_join_the_tokens_of_one_caller_across_a_rotation(tmp_path):
    """Cases of two callers before a rotation, cases of one of them after it: what a repeat search partitions by."""
    old = caller_keys(settings(tmp_path))[0]
    before = tokenise(pl.Series(["13800001111", "13800002222"]), old)
    rotate(settings(tmp_path))
    keys = caller_keys(settings(tmp_path))
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


def test_after_two_rotations_every_earlier_token_leads_to_the_current_one(tmp_path):
    phone = pl.Series(["13800001111"])
    tokens = []
    for _ in range(3):
        tokens.append(tokenise(phone, caller_keys(settings(tmp_path))[0])["caller_token"][0])
        rotate(settings(tmp_path))
    keys = caller_keys(settings(tmp_path))
    links = caller_links(phone, keys)
    assert set(links["earlier_token"]) == set(tokens)
    assert links["current_token"].unique().to_list() == tokenise(phone, keys[0])["caller_token"].to_list()


def test_there_are_no_links_without_an_earlier_key():
    links = caller_links(SPELT, (KEY,))
    assert links.is_empty() and links.columns == ["earlier_token", "earlier_key_id", "current_token"]
