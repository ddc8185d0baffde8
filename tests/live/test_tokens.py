"""Tokens that should open nothing, tokens that end, and pages of strangers: closed for good, told, or not let in."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as handshake
from websockets.exceptions import InvalidStatus

from server.people.actors import Identity
from server.people.tokens import DevIssuer
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.issuer import Issuer
from tests.support.site import Site
from tests.support.wire import Refused, Wire

KIB = 1024


@dataclass
class Tokens:
    """Every kind of token that should not be one, for one person."""

    site: Site
    forger: Issuer
    identity: Identity

    def bad(self) -> dict[str, str | None]:
        """By what is wrong with them; each closes with 3500, and none at all with 3501."""
        settings = self.site.settings
        good = self.site.token(self.identity)
        head, body, _ = good.split(".")
        other = {
            name: DevIssuer(settings.model_copy(update={name: "somebody-else"})).issue(self.identity)
            for name in ("token_issuer", "token_audience")
        }
        return other | {
            "none": None,
            "empty": "",
            "no token at all": "Hello",
            "of another key": self.forger.token(self.identity),
            "signed with nothing": self.forger.unsigned(self.identity),
            "with its own key": self.forger.carrying_its_key(self.identity),
            "with another's signature": f"{head}.{body}.{self.forger.token(self.identity).split('.')[2]}",
            "without a signature": f"{head}.{body}.",
            "NUL in it": good + "\0",
            "very long": good + "x" * 100 * KIB,
        }


async def test_a_token_that_is_none_closes_for_good(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for case, token in Tokens(site, Issuer(tmp_path), clinic.identity(clinic.clinician)).bad().items():
        with subtests.test(case):
            assert await refused(await connect(pair.a), token) == (3500 if token else 3501)


async def test_a_token_of_somebody_who_is_not_closes_for_good(
    pair: Pair, site: Site, clinic: Clinic, elsewhere: Clinic, connect: Connect, subtests: pytest.Subtests
) -> None:
    archived = await clinic.team_member()
    before = await connect(pair.a, archived)
    await clinic.archive(archived)
    who = {
        "archived since": clinic.identity(archived),
        "of another organisation": Identity(elsewhere.organization_id, clinic.identity(clinic.clinician).person_id),
        "unknown": clinic.identity("tm_" + "0" * 20),
        "no id": clinic.identity("' or 1=1"),
        "NUL": clinic.identity("\0"),
    }
    for case, identity in who.items():
        with subtests.test(case):
            assert await refused(await connect(pair.a), site.token(identity)) == 3500
    with pytest.raises(Refused, match=r"^401: "):
        await before.rpc("channel.list")


async def test_an_expired_token_is_told_so_and_the_connection_is_of_no_use(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect
) -> None:
    wire = await connect(pair.a)
    expired = site.token(clinic.identity(clinic.clinician), seconds=-60)
    with pytest.raises(Refused, match=r"^109: "):
        await wire.ask(connect={"token": expired})
    await wire.say('{"id":9,"rpc":{"method":"me"}}')
    await wire.say(json.dumps({"id": 10, "connect": {"token": site.token(clinic.identity(clinic.clinician))}}))
    await asyncio.sleep(0.3)
    assert len(wire.heard) == 1, "nothing is answered any more"


async def refused(wire: Wire, token: str | None) -> int:
    """Introduce oneself with this token and ask for more in the same breath: the close code, and not one reply."""
    commands = [{"id": 1, "connect": {"token": token}}, {"id": 2, "rpc": {"method": "me"}}]
    await wire.say("\n".join(json.dumps(command) for command in commands))
    code, _ = await wire.closed()
    assert wire.heard == []
    return code


async def test_a_connection_is_renewed_by_its_own_person_alone(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect, subtests: pytest.Subtests
) -> None:
    archived, me = await clinic.team_member(), clinic.identity(clinic.clinician)
    wire = await connect(pair.a, clinic.clinician)
    assert wire.welcome["expires"]
    assert 0 < wire.welcome["ttl"] <= 900
    renewed = await wire.ask(refresh={"token": site.token(me, seconds=300)})
    assert renewed["client"] == wire.welcome["client"]
    assert 290 < renewed["ttl"] <= 300
    theirs = await connect(pair.a, archived)
    await clinic.archive(archived)
    wrong = {
        "of somebody else": (wire, site.token(clinic.identity(await clinic.team_member())), 3500),
        "none": (await connect(pair.b, clinic.clinician), "", 3500),
        "expired": (await connect(pair.b, clinic.clinician), site.token(me, seconds=-60), 3005),
        "of somebody archived since": (theirs, site.token(clinic.identity(archived)), 3500),
    }
    for case, (one, token, code) in wrong.items():
        with subtests.test(case):
            await one.say(json.dumps({"id": 50, "refresh": {"token": token}}))
            assert (await one.closed())[0] == code


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:{port}.evil.example",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
    ],
)
async def test_a_page_of_strangers_does_not_get_as_far_as_a_socket(origin: str, pair: Pair) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with handshake(pair.a.socket_url, additional_headers={"Origin": origin.format(port=pair.a.port)}):
            pass
    assert refusal.value.response.status_code == 403


async def test_our_own_page_gets_a_socket_but_no_token_out_of_an_address(
    pair: Pair, site: Site, clinic: Clinic
) -> None:
    token = site.token(clinic.identity(clinic.clinician))
    wire = await Wire.open(f"{pair.a.socket_url}?token={token}", additional_headers={"Origin": pair.a.url})
    assert await refused(wire, None) == 3501
    await wire.close()
    assert token not in pair.a.log.read_text()
