"""Signing in during development: people of the demo clinic alone, and not in production."""

from starlette.applications import Starlette
from starlette.routing import Route

from server.api import routes
from server.dispatching import Dispatcher
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.front import Front, told


async def test_a_demo_person_gets_a_token_that_works(front: Front, clinic: Clinic) -> None:
    demo, another = await clinic.team_member(), await clinic.team_member()
    await clinic.sql("update people set email = 'demo-someone@demo.invalid' where id = $1", demo)
    listed = (await front.send(None, "GET", "/dev/people")).json()["people"]
    assert [person["key"] for person in listed] == ["demo-someone"]
    assert demo not in str(listed)
    answer = await front.send(None, "POST", "/dev/token", json={"person": "demo-someone"})
    assert answer.headers["Cache-Control"] == "no-store"
    me = await front.send(answer.json()["token"], "GET", "/api/me")
    assert me.json()["person"]["id"] == demo
    for wrong in ({"person": another}, {"person": "nobody"}, {"person": None}, {}, [], "text"):
        refused = await front.send(None, "POST", "/dev/token", json=wrong)
        assert told(refused)[0] == 404
    assert (await front.send(None, "POST", "/dev/token", content=b"\xff")).status_code == 404
    await clinic.archive(demo)
    assert (await front.send(None, "GET", "/dev/people")).json() == {"people": []}


async def test_in_production_there_is_no_such_route(front: Front, clinic: Clinic) -> None:
    settings = front.issuer.settings("postgresql://nowhere", profile="production", dev_key_file=None)
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    served = Starlette(routes=routes(dispatcher, KeyedVerifier.read(settings), clinic.database, settings, {})).routes
    paths = [route.path for route in served if isinstance(route, Route)]
    assert "/api/me" in paths
    assert [path for path in paths if path.startswith("/dev")] == []
