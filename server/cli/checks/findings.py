"""A finding: what was looked at, how it is, and what to do."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]
EXIT = {"ok": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    level: Level
    part: str
    says: str
    do: str = ""

    def lines(self) -> str:
        """For people: one line, and one more with what to do."""
        line = f"{self.level:<8} {self.part:<9} {self.says}"
        return f"{line}\n{'':<19}→ {self.do}" if self.do else line

    def as_json(self) -> dict[str, str]:
        """For machines."""
        return asdict(self)


def ok(part: str, says: str) -> Finding:
    """All is well."""
    return Finding("ok", part, says)


def warning(part: str, says: str, do: str) -> Finding:
    """It works, but somebody should do something."""
    return Finding("warning", part, says, do)


def error(part: str, says: str, do: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding("error", part, says, do)


def status(found: Iterable[Finding]) -> int:
    """The exit status: that of the worst finding."""
    return max((EXIT[finding.level] for finding in found), default=0)
