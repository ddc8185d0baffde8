"""The key that pushes are signed with: made once, read back, and told to the pages by its public half alone."""

import base64
import stat
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette

from server.api import signin
from server.errors import Misconfigured
from server.notices import vapid
from server.sealing import keys
from tests.support.commands import here
from tests.support.issuer import Issuer


async def test_the_command_makes_a_key_and_never_overwrites_one(tmp_path: Path) -> None:
    path = tmp_path / "vapid.pem"
    would = await here("keys", "vapid", str(path), "--dry-run")
    assert (would.returncode, path.exists()) == (0, False)
    made = await here("keys", "vapid", str(path))
    assert (made.returncode, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    public = vapid.public(vapid.read(path))
    assert public in made.stdout
    assert len(base64.urlsafe_b64decode(public + "=")) == 65
    before = path.read_bytes()
    for options in ([], ["--dry-run"]):
        again = await here("keys", "vapid", str(path), *options)
        assert (again.returncode, path.read_bytes()) == (1, before)
    assert (await here("keys", "vapid", str(tmp_path / "no" / "folder"))).returncode == 1
    with pytest.raises(Misconfigured, match="Name a new file"):
        vapid.make(path)


@pytest.mark.parametrize("what", ["missing", "text", "another curve", "another kind"])
def test_what_is_no_such_key_is_named_with_the_fix(tmp_path: Path, what: str) -> None:
    path = tmp_path / "vapid.pem"
    if what == "text":
        path.write_text("no key")
    elif what == "another curve":
        key = ec.generate_private_key(ec.SECP384R1())
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    elif what == "another kind":
        keys.make(path)
    with pytest.raises(Misconfigured, match=r"WARMLINE_VAPID_KEY_FILE: .*warmline keys vapid FILE"):
        vapid.read(path)


async def test_pages_learn_the_public_half_and_null_where_push_is_off(issuer: Issuer, tmp_path: Path) -> None:
    made = vapid.make(tmp_path / "vapid.pem")
    settings = issuer.settings("postgresql://none@localhost/none")
    for file, told in ((None, None), (tmp_path / "vapid.pem", vapid.public(made))):
        app = Starlette(routes=signin.routes(settings.model_copy(update={"vapid_key_file": file}), None))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://clinic.invalid") as http:
            assert (await http.get("/sign-in")).json()["push_key"] == told
