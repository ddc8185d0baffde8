"""Redis as a bad doorbell: what it hands to a subscriber is lost, doubled or swapped on the way, as a test wishes."""

from collections.abc import Callable


class Subscriber:
    """The server's side of one Redis connection (RESP2), whole replies at a time. Only pub/sub messages are meddled with."""

    def __init__(self, meddle: Callable[[bytes], list[bytes]]) -> None:
        self._meddle = meddle
        self._rest = b""

    def __call__(self, data: bytes) -> bytes:
        """See Filter."""
        self._rest += data
        passed = []
        while end := _end(self._rest, 0):
            reply, self._rest = self._rest[:end], self._rest[end:]
            passed += self._meddle(reply) if reply.startswith(b"*3\r\n$7\r\nmessage\r\n") else [reply]
        return b"".join(passed)


def _end(data: bytes, start: int) -> int:
    """Where the RESP value that begins at `start` ends; 0 while it is not whole."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return 0
    kind, number, end = data[start : start + 1], data[start + 1 : line], line + 2
    if kind == b"$" and number != b"-1":
        end += int(number) + 2
        return end if len(data) >= end else 0
    if kind == b"*":
        for _ in range(max(int(number), 0)):
            end = _end(data, end)
            if not end:
                return 0
    return end


class Meddler:
    """Bad luck for the messages of one topic: `plan` says of each, in turn, what happens to it; afterwards all is well.

    lose: it never comes. double: it comes twice. swap: it comes after the next one.
    """

    def __init__(self) -> None:
        self.topic = b""
        """The end of its name."""
        self.plan: list[str] = []
        self.done: list[str] = []
        self._kept: bytes | None = None

    def connection(self) -> Subscriber:
        """For a proxy's new connection."""
        return Subscriber(self.message)

    def message(self, reply: bytes) -> list[bytes]:
        """One pub/sub message; what is handed on in its place."""
        if not self.topic or not reply.split(b"\r\n", 5)[4].endswith(self.topic):
            return [reply]
        what = self.plan.pop(0) if self.plan else "pass"
        if what != "pass":
            self.done.append(what)
        kept, self._kept = self._kept, None
        passed = {"lose": [], "double": [reply, reply], "swap": [], "pass": [reply]}[what]
        if what == "swap":
            self._kept = reply
        return passed + ([kept] if kept is not None else [])
