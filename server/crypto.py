"""Envelope encryption: bodies under an organisation's data key, data keys under a master key kept outside the database.

AES-256-GCM with a fresh random 96-bit nonce. The bound is 2^32 records per data key: among so many, two share a nonce with
a probability below 2^-32 (`warmline doctor` says when half of it is used up; `warmline keys rotate` begins anew). A record
is `version | nonce | ciphertext and tag`; which key closed it stands beside it in the row and in the associated data,
together with everything that says where the record belongs, so that a ciphertext moved to another row, column or
organisation does not open.
"""

import asyncio
import base64
import binascii
import contextlib
import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import metrics
from server.config import Settings
from server.errors import Misconfigured, Unavailable
from server.ids import KeyId, random_bytes

_VERSION = b"\x01"
_NONCE = 12
_CURRENT_SECONDS = 60
RETIRED_SECONDS = 5 * _CURRENT_SECONDS
"""So long after a data key was retired nobody closes anything with it any more: see KeyRing.current()."""

log = logging.getLogger(__name__)


def associated(*parts: str | int) -> bytes:
    """Associated data from its parts, each length-prefixed, so that no two lists of parts give the same bytes."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)


def seal(key: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    """Close a record."""
    nonce = random_bytes(_NONCE)
    return _VERSION + nonce + key.encrypt(nonce, plain, bound_to)


def unseal(key: AESGCM, record: bytes, bound_to: bytes) -> bytes:
    """Open a record. Raises Unavailable when it was not closed by this key for this place: damage, not a user's mistake."""
    if record[:1] != _VERSION:
        raise Unavailable("A stored record has an unknown format. Tell your administrator.")
    try:
        return key.decrypt(record[1 : 1 + _NONCE], record[1 + _NONCE :], bound_to)
    except (InvalidTag, ValueError):  # ValueError: cut so short that not even its nonce is there
        raise Unavailable("A stored record does not open where it stands. Tell your administrator.") from None


@dataclass(frozen=True, slots=True)
class DataKey:
    """An organisation's key, unwrapped."""

    id: str
    cipher: AESGCM


class MasterKey:
    """Wraps and unwraps data keys. While it is being changed there are several: the first wraps, any of them unwraps."""

    def __init__(self, raw: bytes, *others: bytes) -> None:
        self._ciphers = [AESGCM(each) for each in (raw, *others)]

    @classmethod
    def read(cls, *paths: Path) -> "MasterKey":
        """Read the master key, and those that may still unwrap. Raises Misconfigured with the fix."""
        return cls(*(raw_key(path) for path in paths))

    @classmethod
    def of(cls, settings: Settings) -> "MasterKey":
        """The master key of a process; in production it must be a random one. Raises Misconfigured with the fix."""
        for path in settings.master_key_files:
            if settings.profile == "production" and made_up(raw_key(path)):
                raise Misconfigured(
                    f"WARMLINE_MASTER_KEY_FILE: {path.name} was made up by somebody, and can be guessed. Make a random one with "
                    "`warmline keys make FILE`, and change to it as `warmline keys rewrap --help` says"
                )
        return cls.read(*settings.master_key_files)

    def make(self, organization_id: str) -> tuple[KeyId, bytes]:
        """A new data key: its id, and itself wrapped."""
        key_id = KeyId.new()
        return key_id, seal(self._ciphers[0], random_bytes(32), self._place(organization_id, key_id))

    def unwrap(self, organization_id: str, key_id: str, wrapped: bytes) -> DataKey:
        """The data key. Raises Unavailable when another master key wrapped it."""
        return DataKey(key_id, AESGCM(self._opened(organization_id, key_id, wrapped)[1]))

    def wrapper(self, organization_id: str, key_id: str, wrapped: bytes) -> int:
        """Which of the master keys wrapped it; 0 is the current one. Raises Unavailable when none did."""
        return self._opened(organization_id, key_id, wrapped)[0]

    def rewrap(self, organization_id: str, key_id: str, wrapped: bytes) -> bytes:
        """The same data key, wrapped by the current master key. Raises Unavailable when none of them opens it."""
        _, raw = self._opened(organization_id, key_id, wrapped)
        return seal(self._ciphers[0], raw, self._place(organization_id, key_id))

    def _opened(self, organization_id: str, key_id: str, wrapped: bytes) -> tuple[int, bytes]:
        for number, cipher in enumerate(self._ciphers):
            with contextlib.suppress(Unavailable):
                return number, unseal(cipher, wrapped, self._place(organization_id, key_id))
        raise Unavailable("A data key does not open under this master key. Tell your administrator.")

    @staticmethod
    def _place(organization_id: str, key_id: str) -> bytes:
        return associated(organization_id, "organization_keys", "wrapped", key_id, "", "", 0, "master")


def raw_key(path: Path) -> bytes:
    """The 32 bytes of a master key's file. Raises Misconfigured with the fix."""
    try:
        raw = base64.b64decode(path.read_text().strip(), validate=True)
    except (OSError, ValueError, binascii.Error) as wrong:
        raise Misconfigured(
            f"WARMLINE_MASTER_KEY_FILE: {path.name} cannot be read as base64 ({type(wrong).__name__}). "
            "`warmline keys make FILE` makes one"
        ) from None
    if len(raw) != 32:
        raise Misconfigured(f"WARMLINE_MASTER_KEY_FILE: {path.name} holds {len(raw)} bytes; it takes 32 in base64")
    return raw


def made_up(raw: bytes) -> bool:
    """Whether somebody wrote this key by hand (zeros, a counting row, a phrase), which no random key ever looks like."""
    steps = {(after - before) % 256 for before, after in itertools.pairwise(raw)}
    return len(steps) == 1 or len(set(raw)) < 16 or all(32 <= byte < 127 for byte in raw)


class Reader(Protocol):
    """What the key ring reads with."""

    async def fetch(self, query: str, /, *args: Any) -> Sequence[Any]:
        """Run a query, give its rows."""
        ...


class KeyRing:
    """The data keys of all organisations this process works for, unwrapped, in memory only."""

    def __init__(self, master: MasterKey, database: "Reader") -> None:
        self._master = master
        self._database = database
        self._keys: dict[tuple[str, str], DataKey] = {}
        self._broken: set[tuple[str, str]] = set()
        self._current: dict[str, tuple[float, DataKey]] = {}
        self._readings: dict[str, asyncio.Task[None]] = {}

    def known(self, organization_id: str, key_id: str) -> DataKey | None:
        """A key that was loaded before."""
        return self._keys.get((organization_id, key_id))

    def at_hand(self, organization_id: str, key_id: str) -> DataKey:
        """The same, where it must be there. Raises Unavailable when it is not."""
        key = self.known(organization_id, key_id)
        if key is None:
            raise Unavailable("A stored record names a key that is not there. Tell your administrator.")
        return key

    async def get(self, organization_id: str, key_id: str) -> DataKey:
        """The key a record names, read if need be. Raises Unavailable when there is none."""
        if self.known(organization_id, key_id) is None:
            await self.load(organization_id)
        return self.at_hand(organization_id, key_id)

    def ready(self, organization_id: str) -> DataKey | None:
        """What `current` gives, where it need not be looked up."""
        read_at, key = self._current.get(organization_id, (0.0, None))
        return key if key is not None and time.monotonic() - read_at <= _CURRENT_SECONDS else None

    async def current(self, organization_id: str) -> DataKey:
        """The key to close new records with; looked up again once a minute, so that a rotation needs no restart."""
        key = self.ready(organization_id)
        if key is not None:
            return key
        # All who come meanwhile wait for one and the same reading, and so go on in the order in which they came.
        reading = self._readings.get(organization_id)
        if reading is None:
            reading = self._readings[organization_id] = asyncio.create_task(self.load(organization_id))
            reading.add_done_callback(lambda _: self._readings.pop(organization_id))
        await asyncio.shield(reading)
        return self._current[organization_id][1]

    async def load(self, organization_id: str) -> None:
        """Read all keys of an organisation. Raises Unavailable when it has none."""
        rows = await self._database.fetch(
            "select id, wrapped, retired_at from organization_keys where organization_id = $1", organization_id
        )
        self._current.pop(organization_id, None)  # what is retired is not used on for want of another
        for row in rows:
            key = self._keys.get((organization_id, row["id"])) or self._unwrapped(organization_id, row)
            if key is not None and row["retired_at"] is None:
                self._current[organization_id] = (time.monotonic(), key)
        if organization_id not in self._current:
            raise Unavailable("This organisation has no current key. Tell your administrator.")

    def _unwrapped(self, organization_id: str, row: Any) -> DataKey | None:
        """A key read for the first time. One that does not open takes what it closed with it, and nothing else."""
        try:
            key = self._master.unwrap(organization_id, row["id"], row["wrapped"])
        except Unavailable:
            metrics.UNREADABLE.labels("key").inc()
            if (organization_id, row["id"]) not in self._broken:
                log.error(
                    "data key %s of %s opens under no master key: see `warmline doctor`", row["id"], organization_id
                )
            self._broken.add((organization_id, row["id"]))
            return None
        self._keys[organization_id, row["id"]] = key
        return key
