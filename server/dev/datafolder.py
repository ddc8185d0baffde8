"""The folder of `warmline dev`: who uses it now, the demo's keys, and what the running one's settings are."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from server.dev.programs import reachable
from server.errors import Misconfigured

CHECKOUT = Path(__file__).resolve().parents[2]
ISSUER = "warmline-dev"
SETTINGS = (
    *("DATABASE_URL", "REDIS_URL", "HOST", "PORT", "WARMLINE_PROFILE", "WARMLINE_MASTER_KEY_FILE"),
    *("WARMLINE_TOKEN_ISSUER", "WARMLINE_TOKEN_AUDIENCE", "WARMLINE_TOKEN_KEYS_FILE", "WARMLINE_DEV_KEY_FILE"),
    *("WARMLINE_AUDIT_KEY_FILE", "WARMLINE_VAPID_KEY_FILE", "WARMLINE_VAPID_SUBJECT"),
)


class DataFolder:
    """.data in the checkout, or where WARMLINE_DATA says. Readable by its owner alone, but for the way through it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.settings = self.path / "settings.json"
        self.keys = self.path / "keys"

    @classmethod
    def here(cls) -> "DataFolder":
        """The one that this environment names."""
        return cls(Path(os.environ.get("WARMLINE_DATA") or CHECKOUT / ".data"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make it if need be, and hold it alone; the system lets go of it however this process ends.

        Raises:
            Misconfigured: somebody else holds it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711)  # root's Postgres is another user, and has to pass
            self.keys.mkdir(mode=0o700, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as wrong:
            raise Misconfigured(
                f"WARMLINE_DATA: {self.path} cannot be used ({wrong.strerror}). "
                "If another user made it, run as that user, or set WARMLINE_DATA to a folder of your own."
            ) from None
        with lock:
            self.require_alone(lock)
            yield

    def require_alone(self, lock: IO[str]) -> None:
        """Lock the file, or say who has."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            at = self.running_settings()
            raise Misconfigured(
                f"Warmline already runs with the data in {self.path}: http://127.0.0.1:{at.get('PORT', '?')}\n"
                "Use that one, or stop it there with Ctrl-C. For a second one beside it, give it a place and a port: "
                "WARMLINE_DATA=/some/folder PORT=8001 make run"
            ) from None

    def servers(self) -> Path:
        """Where the embedded servers keep their files: inside, unless root keeps it where nobody else may go."""
        if reachable(self.path / "any"):
            return self.path
        return Path("/var/lib/warmline", hashlib.sha256(bytes(self.path)).hexdigest()[:12])

    def key_settings(self) -> dict[str, str]:
        """The settings that name the demo's keys, made the first time."""
        master, private, public = (self.keys / name for name in ("master.key", "issuer.jwk", "issuer.public.jwks"))
        if not master.exists():
            if (self.servers() / "postgres" / "cluster").exists():
                raise Misconfigured(
                    f"{master} is gone, and the demo data cannot be read without it. "
                    f"Bring it back, or start anew by removing {self.servers() / 'postgres'}"
                )
            write(master, base64.b64encode(secrets.token_bytes(32)).decode())
        if not (private.exists() and public.exists()):
            make_issuer(private, public)
        audit = self.keys / "audit.pem"
        if not audit.exists():
            make_signing_key(audit)
        vapid = self.keys / "vapid.pem"
        if not vapid.exists():
            make_push_key(vapid)
        return {
            "WARMLINE_PROFILE": "dev",
            "WARMLINE_MASTER_KEY_FILE": str(master),
            "WARMLINE_TOKEN_ISSUER": ISSUER,
            "WARMLINE_TOKEN_AUDIENCE": "warmline",
            "WARMLINE_TOKEN_KEYS_FILE": str(public),
            "WARMLINE_DEV_KEY_FILE": str(private),
            "WARMLINE_AUDIT_KEY_FILE": str(audit),
            "WARMLINE_VAPID_KEY_FILE": str(vapid),
            "WARMLINE_VAPID_SUBJECT": "mailto:warmline-dev@localhost",
        }

    def mail_settings(self, url: str) -> dict[str, str]:
        """Where the demo's unread emails go, unless the environment names a mail relay: into a folder, as files."""
        if os.environ.get("WARMLINE_SMTP_URL"):
            return {"WARMLINE_PUBLIC_URL": os.environ.get("WARMLINE_PUBLIC_URL") or url}
        return {
            "WARMLINE_SMTP_URL": f"file://{quote(str(self.path / 'mails'))}",
            "WARMLINE_MAIL_FROM": "notices@demo.invalid",
            "WARMLINE_PUBLIC_URL": url,
        }

    def publish_settings(self) -> None:
        """Let commands in other terminals find this one's settings, which are in the environment."""
        write(self.settings, json.dumps({name: os.environ[name] for name in SETTINGS if name in os.environ}, indent=1))

    def running_settings(self) -> dict[str, str]:
        """The settings of the `warmline dev` that runs with this folder; empty if none does."""
        try:
            with (self.path / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return dict(json.loads(self.settings.read_text())) if self.settings.exists() else {}
        except OSError:
            return {}
        return {}


def make_issuer(private: Path, public: Path) -> None:
    """The key pair of the development issuer, which signs the tokens of demo people."""
    from joserfc.jwk import ECKey  # slow to import, and needed once

    pair = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": secrets.token_hex(8)})
    write(private, json.dumps(pair.as_dict(private=True)))
    write(public, json.dumps({"keys": [pair.as_dict(private=False)]}))


def make_signing_key(path: Path) -> None:
    """The key that the ends of the access log are signed with."""
    from server.sealing import keys  # slow to import, and needed once

    keys.make(path)


def make_push_key(path: Path) -> None:
    """The key that pushes are signed with."""
    from server.notices import vapid  # slow to import, and needed once

    vapid.make(path)


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, and that is never half there."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)
