"""Encryption: a record opens where it was closed, under its own key, and nowhere else."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from server import crypto, metrics
from server.crypto import KeyRing, MasterKey, associated, made_up, seal, unseal
from server.errors import Misconfigured, Unavailable
from server.ids import KeyId, OrganizationId, random_bytes

KEY = AESGCM(bytes(32))
ORGANIZATION = OrganizationId.new()


@given(st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5))
def test_no_two_places_are_the_same(one: list[str], other: list[str]) -> None:
    assert (associated(*one) == associated(*other)) == (one == other)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_record_opens_in_its_place(plain: bytes, place: bytes) -> None:
    record = seal(KEY, plain, place)
    assert unseal(KEY, record, place) == plain
    assert seal(KEY, plain, place) != record
    with pytest.raises(Unavailable):
        unseal(KEY, record, place + b"x")


@given(st.data())
def test_a_changed_record_does_not_open(data: st.DataObject) -> None:
    record = bytearray(seal(KEY, b"words", b"place"))
    bit = data.draw(st.integers(0, len(record) * 8 - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unavailable):
        unseal(KEY, bytes(record), b"place")


def test_a_record_cut_short_does_not_open() -> None:
    record = seal(KEY, b"words", b"place")
    for length in range(len(record)):
        with pytest.raises(Unavailable):
            unseal(KEY, record[:length], b"place")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("not base64!", "cannot be read"),
        (base64.b64encode(bytes(31)).decode(), "31 bytes"),
        ("", "0 bytes"),
    ],
)
def test_a_master_key_that_is_none_stops_the_start(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "master.key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Misconfigured, match=f"WARMLINE_MASTER_KEY_FILE.*{says}"):
        MasterKey.read(path)
    path.write_text(base64.b64encode(bytes(32)).decode() + "\n")
    MasterKey.read(path)


def test_a_data_key_opens_for_its_own_organisation_under_its_own_master_and_id() -> None:
    master = MasterKey(bytes(32))
    key_id, wrapped = master.make(ORGANIZATION)
    master.unwrap(ORGANIZATION, key_id, wrapped)
    for unwrap in (
        lambda: master.unwrap(OrganizationId.new(), key_id, wrapped),
        lambda: master.unwrap(ORGANIZATION, KeyId.new(), wrapped),
        lambda: MasterKey(bytes([1] * 32)).unwrap(ORGANIZATION, key_id, wrapped),
    ):
        with pytest.raises(Unavailable):
            unwrap()


@pytest.mark.catalogue("S32")
def test_no_two_records_share_a_nonce() -> None:
    nonces = {seal(KEY, b"", b"")[1:13] for _ in range(500_000)}
    assert len(nonces) == 500_000, "the chance of this failing by accident is 2^-59"


def test_a_key_that_somebody_made_up_is_recognised() -> None:
    for raw in (bytes(32), bytes(range(32)), b"secret" * 5 + b"!!", bytes([7, 9] * 16), b"A".ljust(32, b"B")):
        assert made_up(raw), raw
    assert not any(made_up(random_bytes(32)) for _ in range(10_000))


class Keys:
    """The rows of organization_keys, of which `retired` says when they stopped being current."""

    def __init__(self, master: MasterKey) -> None:
        self.master = master
        self.rows: list[dict[str, Any]] = []
        self.read = 0

    def add(self) -> str:
        """A new current key; the one before is retired."""
        for row in self.rows:
            row["retired_at"] = "then"
        key_id, wrapped = self.master.make(ORGANIZATION)
        self.rows.append({"id": key_id, "wrapped": wrapped, "retired_at": None})
        return key_id

    async def fetch(self, _query: str, organization_id: str) -> list[dict[str, Any]]:
        """What the database would say."""
        self.read += 1
        await asyncio.sleep(0)
        return list(self.rows) if organization_id == ORGANIZATION else []


@pytest.fixture
def keys() -> Keys:
    return Keys(MasterKey(bytes(32)))


async def test_the_ring_reads_once_for_all_who_wait_and_gives_a_rotated_key_within_a_minute(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, first = KeyRing(keys.master, keys), keys.add()
    assert {key.id for key in await asyncio.gather(*(ring.current(ORGANIZATION) for _ in range(20)))} == {first}
    assert keys.read == 1
    second = keys.add()
    assert (await ring.current(ORGANIZATION)).id == first
    monkeypatch.setattr(crypto, "_CURRENT_SECONDS", 0)
    assert (await ring.current(ORGANIZATION)).id == second
    assert (await ring.get(ORGANIZATION, first)).id == first


async def test_an_organisation_without_a_key_is_told_and_the_ring_tries_again(keys: Keys) -> None:
    ring = KeyRing(keys.master, keys)
    for _ in range(2):
        with pytest.raises(Unavailable, match="no current key"):
            await ring.current(ORGANIZATION)
    added = keys.add()
    assert (await ring.current(ORGANIZATION)).id == added
    with pytest.raises(Unavailable, match="not there"):
        await ring.get(ORGANIZATION, KeyId.new())


@pytest.mark.catalogue("S32")
async def test_a_key_that_does_not_open_takes_only_its_own_records_with_it(
    keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    ring, broken, counted = KeyRing(keys.master, keys), keys.add(), metrics.UNREADABLE.labels("key")._value.get()
    keys.rows[0]["wrapped"] = MasterKey(bytes([1] * 32)).make(ORGANIZATION)[1]
    with pytest.raises(Unavailable, match="no current key"):
        await ring.current(ORGANIZATION)
    second = keys.add()
    assert (await ring.current(ORGANIZATION)).id == second
    with pytest.raises(Unavailable, match="not there"):
        await ring.get(ORGANIZATION, broken)
    assert [record.levelname for record in caplog.records] == ["ERROR"], "said once, not at every look"
    assert broken in caplog.text
    assert metrics.UNREADABLE.labels("key")._value.get() > counted


@pytest.mark.catalogue("S32")
async def test_while_the_master_key_changes_any_of_them_opens_and_the_first_wraps(keys: Keys) -> None:
    first, new = keys.add(), MasterKey(bytes([1] * 32), bytes(32))
    second, wrapped = new.make(ORGANIZATION)
    keys.rows.append({"id": second, "wrapped": wrapped, "retired_at": "then"})
    ring = KeyRing(new, keys)
    assert [(await ring.get(ORGANIZATION, id)).id for id in (first, second)] == [first, second]
    assert [new.wrapper(ORGANIZATION, row["id"], row["wrapped"]) for row in keys.rows] == [1, 0]
    again = new.rewrap(ORGANIZATION, first, keys.rows[0]["wrapped"])
    MasterKey(bytes([1] * 32)).unwrap(ORGANIZATION, first, again)
    with pytest.raises(Unavailable):
        keys.master.unwrap(ORGANIZATION, first, again)


async def test_who_hangs_up_while_the_keys_are_read_takes_nobody_with_them(keys: Keys) -> None:
    ring, added = KeyRing(keys.master, keys), keys.add()
    waiting = [asyncio.create_task(ring.current(ORGANIZATION)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert [key.id for key in await asyncio.gather(*waiting[1:])] == [added, added]
