"""Tokens: only what the issuer signed, for us, for a person, and not yet over; all else is refused in one and the same way."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from server.errors import Misconfigured, TokenExpired, Unauthorized
from server.ids import OrganizationId, PersonId, TeamMemberId
from server.people.actors import UNKNOWN, Identity
from server.people.tokens import DevIssuer, KeyedVerifier
from tests.support.issuer import NAME, Issuer, new_key

NOBODYS_DATABASE = "postgresql://nowhere"
SOMEBODY = Identity(OrganizationId.new(), PersonId(TeamMemberId.new()))

Forge = Callable[[Issuer], str]


def changed(**claims: object) -> Forge:
    """A token under the right key, with these claims changed or (None) missing."""
    return lambda issuer: issuer.token(SOMEBODY, **claims)


FORGED: dict[str, Forge] = {
    "alg none": lambda issuer: issuer.unsigned(SOMEBODY),
    "HS256 with the public key": lambda issuer: issuer.confused(SOMEBODY),
    "another key under its name": lambda issuer: issuer.token(SOMEBODY, new_key(str(issuer.key.kid))),
    "an unknown key": lambda issuer: issuer.token(SOMEBODY, new_key("of-a-stranger")),
    "a key that it brings along": lambda issuer: issuer.carrying_its_key(SOMEBODY),
    "no signature": lambda issuer: issuer.token(SOMEBODY).rpartition(".")[0] + ".",
    "another issuer": changed(iss="somebody-else"),
    "no issuer": changed(iss=None),
    "another audience": changed(aud="another-product"),
    "other audiences": changed(aud=["another-product", "a-third"]),
    "no audience": changed(aud=None),
    "no subject": changed(sub=None),
    "a subject that is no text": changed(sub=7),
    "no organisation": changed(org=None),
    "an organisation that is no text": changed(org=["org"]),
    "no end": changed(exp=None),
    "an end that is no time": changed(exp="tomorrow"),
    "an endless end": changed(exp=float("inf")),
    "not yet begun": changed(nbf=int(time.time()) + 600),
    "a subscription token": changed(channel="ch_00000000000000000000"),
    "nothing": lambda issuer: "",
    "two parts": lambda issuer: "a.b",
    "noise": lambda issuer: "….…." + "x" * 10_000,
    "five parts": lambda issuer: ".".join([issuer.token(SOMEBODY), "a", "b"]),
    "a NUL": lambda issuer: issuer.token(SOMEBODY) + "\0",
}


@pytest.fixture
def verifier(issuer: Issuer) -> KeyedVerifier:
    return KeyedVerifier.read(issuer.settings(NOBODYS_DATABASE))


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_nobodys(verifier: KeyedVerifier, issuer: Issuer, forge: Forge) -> None:
    with pytest.raises(Unauthorized) as told:
        await verifier.verify(forge(issuer))
    assert (told.value.message, told.value.code, type(told.value)) == (UNKNOWN, 401, Unauthorized)


async def test_a_changed_token_is_nobodys(verifier: KeyedVerifier, issuer: Issuer) -> None:
    header, claims, signature = issuer.token(SOMEBODY).split(".")
    *_, others, _ = issuer.token(Identity(OrganizationId.new(), SOMEBODY.person_id)).split(".")
    for parts in ((header, others, signature), (header, claims, signature[::-1]), (claims, header, signature)):
        with pytest.raises(Unauthorized):
            await verifier.verify(".".join(parts))


async def test_a_good_token_names_its_person_and_its_end(verifier: KeyedVerifier, issuer: Issuer) -> None:
    ends = int(time.time()) + 60
    assert await verifier.verify(issuer.token(SOMEBODY, exp=ends)) == (SOMEBODY, ends)
    assert await verifier.verify(issuer.token(SOMEBODY, exp=ends, aud=["another", "warmline"])) == (SOMEBODY, ends)


async def test_an_expired_token_says_so_with_a_little_grace(verifier: KeyedVerifier, issuer: Issuer) -> None:
    for age in (30, 10**9):
        with pytest.raises(TokenExpired, match="Sign in again") as told:
            await verifier.verify(issuer.token(SOMEBODY, exp=int(time.time()) - age))
        assert (told.value.code, told.value.status) == (109, 401)
    await verifier.verify(issuer.token(SOMEBODY, exp=int(time.time()) - 2))


async def test_an_expired_token_that_was_never_good_is_nobodys(verifier: KeyedVerifier, issuer: Issuer) -> None:
    """Else a stranger learns what our issuer's tokens look like."""
    with pytest.raises(Unauthorized) as told:
        await verifier.verify(issuer.token(SOMEBODY, new_key(str(issuer.key.kid)), exp=1))
    assert type(told.value) is Unauthorized


async def test_rsa_keys_are_fine_too(issuer: Issuer, tmp_path: Path) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256", "use": "sig"})
    path = tmp_path / "keys.jwks"
    path.write_text(json.dumps({"keys": [issuer.key.as_dict(private=False), key.as_dict(private=False)]}))
    verifier = KeyedVerifier.read(issuer.settings(NOBODYS_DATABASE, token_keys_file=path))
    token = jwt.encode({"alg": "RS256", "kid": "rsa"}, issuer.claims(SOMEBODY), key)
    assert (await verifier.verify(token))[0] == SOMEBODY
    assert (await verifier.verify(issuer.token(SOMEBODY)))[0] == SOMEBODY
    for_any = RSAKey.import_key(key.as_pem(private=True), {"kid": "rsa"})
    other = jwt.encode({"alg": "RS512", "kid": "rsa"}, issuer.claims(SOMEBODY), for_any, algorithms=["RS512"])
    with pytest.raises(Unauthorized):
        await verifier.verify(other)


@pytest.mark.parametrize(
    "text", [None, "", "no JSON", "[]", '{"keys": 1}', '{"keys": [{}]}', '{"keys": [{"kty": "EC"}]}']
)
def test_keys_that_are_none_stop_the_start(issuer: Issuer, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "keys.jwks"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Misconfigured, match="WARMLINE_TOKEN_KEYS_FILE"):
        KeyedVerifier.read(issuer.settings(NOBODYS_DATABASE, token_keys_file=path))


async def test_the_development_issuer_stays_at_home(issuer: Issuer, verifier: KeyedVerifier) -> None:
    settings = issuer.settings(NOBODYS_DATABASE)
    token = DevIssuer(settings).issue(SOMEBODY)
    assert (await verifier.verify(token))[0] == SOMEBODY
    for wrong in ({"profile": "production"}, {"host": "0.0.0.0"}, {"dev_key_file": None}):
        with pytest.raises(Misconfigured):
            DevIssuer(settings.model_copy(update=wrong))
    assert settings.token_issuer == NAME
