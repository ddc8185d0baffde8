"""Tokens of a sign-in provider: its keys as they rotate and while they are away, and every forgery refused in one way."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from server.errors import TokenExpired, Unauthorized, Unavailable
from server.ids import PersonId
from server.people import identities
from server.people.actors import UNKNOWN, Identity
from server.people.claims import Rules
from server.people.identities import Identities
from server.people.provider import Provider as Ours
from server.people.tokens import ProviderVerifier
from tests.support.cast import Clinic
from tests.support.issuer import Issuer
from tests.support.provider import Provider, providing

SUBJECT = "subject-of-the-clinician"


@dataclass
class Setup:
    """A provider, our side of it, and one person whom it knows."""

    clinic: Clinic
    provider: Provider
    ours: Ours
    verifier: ProviderVerifier
    now: float = 1000.0

    async def verify(self, token: str) -> Identity:
        return (await self.verifier.verify(token))[0]

    async def refused(self, token: str) -> type[Exception]:
        """What kind of refusal a token gets; an Unauthorized one always with the same words and code."""
        with pytest.raises((Unauthorized, Unavailable)) as told:
            await self.verifier.verify(token)
        if type(told.value) is Unauthorized:
            assert (told.value.message, told.value.code) == (UNKNOWN, 401)
        return type(told.value)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with providing() as made:
        yield made


@pytest.fixture
async def setup(clinic: Clinic, issuer: Issuer, provider: Provider) -> AsyncIterator[Setup]:
    settings = issuer.settings_of_a_provider(provider.issuer, "postgresql://nowhere")
    ours = Ours(settings, clock=lambda: made.now)
    made = Setup(clinic, provider, ours, ProviderVerifier(ours, Rules(settings), Identities(clinic.database, settings)))
    async with clinic.database.transaction() as tx:
        await identities.link(tx, clinic.organization_id, PersonId(clinic.clinician), provider.issuer, SUBJECT)
    yield made
    await ours.stop()


def signed(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """A token with any header, signed with a shared secret or not at all."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    said = ".".join(parts)
    signature = hmac.digest(secret, said.encode(), "sha256") if secret else b""
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def stranger(provider: Provider, **header: Any) -> str:
    """A token under a key of a stranger, who says in its header where to find that key."""
    key = RSAKey.generate_key(2048, {"kid": "stranger"})
    said = {name: value(key) if callable(value) else value for name, value in header.items()}
    return provider.token(SUBJECT, key=key, header={"kid": provider.keys[0].kid} | said)


def public(key: RSAKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


Forge = Callable[[Provider], str]
FORGED: dict[str, Forge] = {
    "alg none": lambda p: signed({"alg": "none", "kid": p.keys[0].kid}, p.claims(SUBJECT)),
    "alg None": lambda p: signed({"alg": "None", "kid": p.keys[0].kid}, p.claims(SUBJECT)),
    "no alg": lambda p: signed({"kid": p.keys[0].kid}, p.claims(SUBJECT)),
    "alg a list": lambda p: signed({"alg": ["RS256"], "kid": p.keys[0].kid}, p.claims(SUBJECT)),
    "HS256 with the public key": lambda p: signed(
        {"alg": "HS256", "kid": p.keys[0].kid}, p.claims(SUBJECT), p.keys[0].as_pem(private=False)
    ),
    "HS256 with the published key as it is": lambda p: signed(
        {"alg": "HS256", "kid": p.keys[0].kid}, p.claims(SUBJECT), json.dumps(public(p.keys[0])).encode()
    ),
    "RS256 said, HS256 done": lambda p: signed(
        {"alg": "RS256", "kid": p.keys[0].kid}, p.claims(SUBJECT), p.keys[0].as_pem(private=False)
    ),
    "an elliptic signature under an RSA key's name": lambda p: p.token(
        SUBJECT, key=ECKey.generate_key("P-256", {"kid": str(p.keys[0].kid)})
    ),
    "a stranger's key under a known name": lambda p: stranger(p),
    "jwk": lambda p: stranger(p, jwk=public),
    "jku": lambda p: stranger(p, jku=f"{p.issuer}/canary"),
    "x5u": lambda p: stranger(p, x5u=f"{p.issuer}/canary"),
    "x5c": lambda p: stranger(p, x5c=["AAAA"]),
    "kid an address": lambda p: stranger(p, kid=f"{p.issuer}/canary"),
    "kid a path": lambda p: stranger(p, kid="../../canary"),
    "kid a statement": lambda p: stranger(p, kid="' or 1=1 --"),
    "kid endless": lambda p: stranger(p, kid="k" * 5_000),
    "kid a number": lambda p: signed({"alg": "RS256", "kid": 7}, p.claims(SUBJECT)),
    "unknown crit": lambda p: signed(
        {"alg": "RS256", "kid": p.keys[0].kid, "crit": ["exp"], "exp": 1}, p.claims(SUBJECT)
    ),
    "crit that we would have to know": lambda p: signed(
        {"alg": "RS256", "kid": p.keys[0].kid, "crit": ["b64"], "b64": False}, p.claims(SUBJECT)
    ),
    "encrypted": lambda p: signed({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": p.keys[0].kid}, p.claims(SUBJECT)),
    "a header that is no object": lambda p: "W10.e30.AA",
    "a header without end": lambda p: base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.AA",
    "too long": lambda p: p.token(SUBJECT, padding="x" * 20_000),
}


@pytest.mark.catalogue("S04")
@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_nobodys_and_sends_the_server_nowhere(setup: Setup, forge: Forge) -> None:
    provider = setup.provider
    assert (await setup.verify(provider.token(SUBJECT))).person_id == setup.clinic.clinician
    setup.now += 60  # so that a look for a new key would be allowed
    assert await setup.refused(forge(provider)) is Unauthorized
    assert set(provider.fetched) <= {"/.well-known/openid-configuration", "/jwks"}
    assert provider.fetched["/jwks"] <= 2


@pytest.mark.catalogue("S05")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example"},
        {"iss": None},
        {"aud": "another-product"},
        {"aud": "warmline-pages"},
        {"aud": None},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"iat": None},
        {"iat": "today"},
        {"auth_time": 2**40},
        {"auth_time": "today"},
        {"auth_time": None, "iat": float("nan")},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "\0"},
        {"channel": "ch_" + "0" * 20},
    ],
    ids=str,
)
async def test_a_token_for_others_or_not_of_now_is_nobodys(setup: Setup, claims: dict[str, Any]) -> None:
    assert await setup.refused(setup.provider.token(SUBJECT, **claims)) is Unauthorized


@pytest.mark.catalogue("S05")
async def test_an_expired_token_says_so_and_only_if_it_was_good_once(setup: Setup) -> None:
    old = {"iat": time.time() - 900, "auth_time": time.time() - 900, "exp": int(time.time()) - 60}
    assert await setup.refused(setup.provider.token(SUBJECT, **old)) is TokenExpired
    key = RSAKey.generate_key(2048, {"kid": str(setup.provider.keys[0].kid)})
    assert await setup.refused(setup.provider.token(SUBJECT, key=key, **old)) is Unauthorized


async def test_a_new_key_is_found_and_an_old_one_forgotten(setup: Setup) -> None:
    provider = setup.provider
    old = provider.token(SUBJECT)
    await setup.verify(old)
    provider.rotate(keep=True, elliptic=True)
    setup.now += 30
    await setup.verify(provider.token(SUBJECT))
    await setup.verify(old)
    provider.rotate(keep=False)
    setup.now += 30
    await setup.verify(provider.token(SUBJECT))
    assert await setup.refused(old) is Unauthorized


async def test_looking_for_new_keys_is_limited_however_many_names_are_tried(setup: Setup) -> None:
    provider = setup.provider
    await setup.verify(provider.token(SUBJECT))
    setup.now += 60
    for number in range(300):
        assert await setup.refused(stranger(provider, kid=f"unknown-{number}")) is Unauthorized if number < 3 else True
        setup.now += 0.01
    assert provider.fetched["/jwks"] == 2
    token = stranger(provider, kid="unknown-0")
    for _ in range(5):  # a name that was looked for in vain is not looked for again, for a while
        setup.now += 11
        assert await setup.refused(token) is Unauthorized
    assert provider.fetched["/jwks"] == 2


async def test_while_the_provider_is_away_known_keys_do_and_new_ones_wait(setup: Setup) -> None:
    provider = setup.provider
    known = provider.token(SUBJECT)
    await setup.verify(known)
    provider.away = True
    provider.rotate()
    setup.now += 700  # old enough to be fetched anew
    await setup.verify(known)
    setup.now += 60
    assert await setup.refused(provider.token(SUBJECT)) is Unavailable, "perhaps there is a new key: try again"
    setup.now += 86_400
    assert await setup.refused(known) is Unavailable, "keys of yesterday are trusted no more"
    provider.away, setup.now = False, setup.now + 60
    await setup.verify(provider.token(SUBJECT))


async def test_thousands_who_connect_while_the_keys_are_away_do_not_pile_up(setup: Setup) -> None:
    setup.provider.slow = 0.3
    setup.provider.away = True
    token = setup.provider.token(SUBJECT)
    found = await asyncio.gather(*(setup.verify(token) for _ in range(3_000)), return_exceptions=True)
    assert {type(one) for one in found} == {Unavailable}
    assert sum(setup.provider.fetched.values()) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://another.example"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://another.example/jwks"},
        {"jwks_uri": None},
        {"token_endpoint": "https://another.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_discovery_document_that_leads_elsewhere_leads_nowhere(setup: Setup, said: dict[str, Any]) -> None:
    setup.provider.said = said
    assert await setup.refused(setup.provider.token(SUBJECT)) is Unavailable
    assert set(setup.provider.fetched) == {"/.well-known/openid-configuration"}


async def test_the_keys_may_be_named_by_the_settings_instead(setup: Setup, issuer: Issuer) -> None:
    settings = issuer.settings_of_a_provider(
        setup.provider.issuer, "postgresql://nowhere", oidc_jwks_url=f"{setup.provider.issuer}/jwks"
    )
    ours = Ours(settings)
    verifier = ProviderVerifier(ours, Rules(settings), Identities(setup.clinic.database, settings))
    assert (await verifier.verify(setup.provider.token(SUBJECT)))[0].person_id == setup.clinic.clinician
    assert setup.provider.fetched == {"/jwks": 1}
    await ours.stop()


@pytest.mark.filterwarnings("ignore:Key size")
async def test_keys_that_do_not_sign_are_no_keys(setup: Setup) -> None:
    small = RSAKey.generate_key(1024, {"kid": "small", "use": "sig"}, private=True)
    for_other_things = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    setup.provider.keys = [*setup.provider.keys, small, for_other_things]
    for key in (small, for_other_things):
        token = jwt.encode(
            {"alg": "RS256", "kid": key.kid},
            setup.provider.claims(SUBJECT),
            RSAKey.import_key(key.as_pem(private=True)),
        )
        assert await setup.refused(token) is Unauthorized
    await setup.verify(setup.provider.token(SUBJECT))


def settled_at(now: float) -> Callable[[], float]:
    return lambda: now


@pytest.mark.catalogue("R30")
@pytest.mark.parametrize("skew", [-3600, 3600])
async def test_a_clock_that_is_an_hour_off_opens_nothing_for_longer(setup: Setup, issuer: Issuer, skew: int) -> None:
    settings = issuer.settings_of_a_provider(setup.provider.issuer, "postgresql://nowhere", token_leeway=60)
    ours = Identities(setup.clinic.database, settings)
    verifier = ProviderVerifier(setup.ours, Rules(settings, settled_at(time.time() + skew)), ours)
    with pytest.raises(Unauthorized):  # behind: from the future; ahead: over
        await verifier.verify(setup.provider.token(SUBJECT))
    near = ProviderVerifier(setup.ours, Rules(settings, settled_at(time.time() + (50 if skew > 0 else -50))), ours)
    await near.verify(setup.provider.token(SUBJECT))


@pytest.mark.catalogue("S07")
async def test_a_sign_in_lasts_so_many_hours_whatever_its_tokens_say(setup: Setup, issuer: Issuer) -> None:
    settings = issuer.settings_of_a_provider(setup.provider.issuer, "postgresql://nowhere", sign_in_hours=8)
    began = time.time() - 60
    token = setup.provider.token(SUBJECT, auth_time=began, exp=began + 20 * 3600)
    who = Identities(setup.clinic.database, settings)
    at = lambda hours: ProviderVerifier(setup.ours, Rules(settings, settled_at(began + hours * 3600)), who)  # noqa: E731
    assert (await at(7.9).verify(token))[1] == int(began + 8 * 3600)
    with pytest.raises(Unauthorized, match="as long as it may"):
        await at(8.01).verify(token)
    renewed = setup.provider.token(SUBJECT, auth_time=began, iat=began + 30)
    with pytest.raises(Unauthorized):  # a fresh token of the same sign-in is no new sign-in
        await at(8.01).verify(renewed)
