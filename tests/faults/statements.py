"""Counts the statements that a gateway has Postgres run, on the line between them (protocol.md of Postgres: message formats)."""

_HEAD = 5
"""A type, and a length that counts itself."""


class Statements:
    """Over all connections of one gateway: one for each CommandComplete."""

    def __init__(self) -> None:
        self.count = 0

    def connection(self) -> "_Counted":
        """For a proxy's new connection."""
        return _Counted(self)


class _Counted:
    """What Postgres sends on one connection, passed on as it is. The first byte is its answer to a wish for TLS: no."""

    def __init__(self, total: Statements) -> None:
        self._total = total
        self._rest = b""
        self._skip = 1

    def __call__(self, data: bytes) -> bytes:
        """See Filter."""
        seen = self._rest + data
        at, end = self._skip, len(seen)
        while at + _HEAD <= end:
            self._total.count += seen[at] == ord("C")
            at += 1 + int.from_bytes(seen[at + 1 : at + _HEAD], "big")
        self._rest, self._skip = (seen[at:], 0) if at < end else (b"", at - end)
        return data
