"""The settings: all wrong ones at once, names that nobody reads, files, and what is unwise in production."""

import os
import stat
from pathlib import Path

from server.cli.checks.findings import Finding, error, ok, warning
from server.config import Settings

PART = "settings"
ELSEWHERE = {"WARMLINE_DATA"}
"""Read by `warmline dev` alone."""
PUBLIC = {"WARMLINE_TOKEN_KEYS_FILE", "WARMLINE_SMTP_CA_FILE"}
"""Files that hold nothing secret."""


def wrong(message: str) -> list[Finding]:
    """The findings of settings that cannot be read, from what the start would say."""
    return [
        error(
            PART, *(line.split(" It takes: ", 1) if " It takes: " in line else (line, "Correct it, and start again."))
        )
        for line in message.splitlines()
    ]


def unknown() -> list[Finding]:
    """Names in the environment that look like ours and are not: most likely a slip of the pen."""
    known = {str(field.validation_alias) for field in Settings.model_fields.values()} | ELSEWHERE
    names = sorted(name for name in os.environ if name.startswith("WARMLINE_") and name not in known)
    return [
        warning(PART, f"{name}: no setting has this name", "Correct the name (see server/config.py), or unset it.")
        for name in names
    ]


def check(settings: Settings) -> list[Finding]:
    """Settings that can be read, one by one."""
    found = [ok(PART, f"all can be read; profile {settings.profile}"), *unknown()]
    for name, path in files(settings):
        found += file(name, path)
    if settings.profile == "production" and not settings.allowed_origins:
        found.append(
            warning(
                PART,
                "WARMLINE_ALLOWED_ORIGINS: empty, so that no browser may open a WebSocket",
                "Set it to the origin of the pages, such as https://chat.clinic.example; leave it for native apps alone.",
            )
        )
    return found


def files(settings: Settings) -> list[tuple[str, Path]]:
    """Every file that a setting names, with the setting's name."""
    found = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path):
                found.append((str(field.validation_alias), path))
    return found


def file(name: str, path: Path) -> list[Finding]:
    """A file that a setting names: readable, and a secret one by its owner alone."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with path.open("rb"):
            pass
    except OSError as wrong:
        do = f"Make it readable for the user that runs Warmline (it is user id {os.geteuid()} now)."
        return [error(PART, f"{name}: {path} cannot be read ({wrong.strerror})", do)]
    if name not in PUBLIC and mode & 0o077:
        return [
            warning(PART, f"{name}: others than its owner may use {path} (mode {mode:04o})", f"Run: chmod 600 {path}")
        ]
    return [ok(PART, f"{name}: {path} can be read")]
