"""Nothing that anybody writes, and no name, address or token, gets into logs, metrics, Redis, URLs or what goes wrong.

Every operation of the registry is called with canaries in whatever takes text, right and wrong, over HTTP and over the WebSocket,
with every library told to log all it has; then the database refuses, raises and dies in mid-operation, and a verb raises. What
comes out where is searched for the canaries in whatever form. A new operation joins by itself.
"""

import contextlib
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
import redis.asyncio as redis
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.middleware import Middleware

from server import logs, metrics
from server.api.access import Access
from server.app.policy import ChatPolicy
from server.dev.embedded import Postgres, free_port
from server.dispatching import Dispatcher
from server.errors import Failed
from server.operations import BY_NAME, OPERATIONS, Operation
from server.people.actors import Actor
from server.people.tokens import KeyedVerifier
from tests.support.canary import EVIL, PLANTED, Canary
from tests.support.cast import Clinic
from tests.support.front import Front
from tests.support.net import monitored
from tests.support.samples import id_fields
from tests.support.site import Gateway, Site
from tests.support.wire import Lost, Refused, Wire
from tests.support.world import World, around, everything

ID = re.compile(r"(org|pa|tm|ch|mb|msg|key|pg|grp|gst|gm|enc|note|gfs)_[0-9a-z]{20}")


@dataclass
class Run:
    """A gateway, what was said to it and what it answered."""

    gateway: Gateway
    world: World
    token: str
    colleague: str
    second: str
    """The token of the colleague."""
    mine: Canary
    theirs: Canary
    """What stands in another organisation, and is nobody's business here."""
    http: httpx.AsyncClient
    answers: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Answers that say that something went wrong here."""
    done: set[str] = field(default_factory=set)
    urls: list[str] = field(default_factory=list)

    async def over_http(self, operation: Operation, params: Any, right: bool = False) -> None:
        path, rest = operation.path, params
        if isinstance(params, dict):
            rest = dict(params)
            for name in re.findall(r"{(\w+)}", operation.path):
                path = path.replace(f"{{{name}}}", quote(str(rest.pop(name)).encode(errors="replace"), safe=""))
        body = {"content": json.dumps(rest)} if operation.method in ("POST", "PUT") else {}
        if not body and isinstance(rest, dict):
            body = {"params": {name: str(value).encode(errors="replace") for name, value in rest.items()}}
        with contextlib.suppress(httpx.InvalidURL):
            answer = await self.http.request(operation.method, path, headers=self.bearer, **body)
            self.heard(answer)
            if right:
                self.urls.append(str(answer.request.url))
            if answer.status_code == 200 and self.mine.found(json.dumps(params)):
                self.done.add(operation.name)

    async def over_rpc(self, wire: Wire, operation: Operation, params: Any) -> None:
        try:
            result = await wire.ask(rpc={"method": operation.name, "data": params})
        except Lost as over:
            self.answers.append(str(over))
        except Refused as refused:
            self.answers.append(str(refused))
            if refused.code == 100:
                self.faults.append(str(refused))
        else:
            self.answers.append(json.dumps(result))

    def heard(self, answer: httpx.Response) -> None:
        said = f"{answer.headers} {answer.text}"
        self.answers.append(said)
        if answer.status_code >= 500:
            self.faults.append(said)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def mine() -> Canary:
    return Canary(f"canary{secrets.token_hex(6)}")


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
async def run(site: Site, clinic: Clinic, elsewhere: Clinic, mine: Canary, metrics_port: int) -> AsyncIterator[Run]:
    gateway = await site.gateway(
        WARMLINE_LOG_LEVEL="DEBUG",
        WARMLINE_METRICS_PORT=str(metrics_port),
        WARMLINE_LOG_FORMAT="json",
    )
    theirs = Canary(f"foreign{secrets.token_hex(6)}")
    world = await around(clinic, elsewhere, clinic.clinician, "care_team")
    await elsewhere.call(
        elsewhere.clinician, "patient.create", legal_name=f"Of {theirs}", email=f"{theirs}@clinic.invalid",
        allocation_clinician_id=elsewhere.clinician,
    )  # fmt: skip
    channel = await elsewhere.care_team(await elsewhere.patient())
    await elsewhere.send(elsewhere.clinician, channel, f"Text {theirs}")
    second = await clinic.team_member("ADMIN")
    token = site.token(clinic.identity(clinic.clinician))
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        yield Run(gateway, world, token, second, site.token(clinic.identity(second)), mine, theirs, http)


async def every_operation(run: Run) -> None:
    """Every operation, right and wrong, both ways."""
    wire = await Wire.open(run.gateway.socket_url, run.token)
    await wire.subscribe(run.world.own["channel"])
    for operation in sorted(OPERATIONS, key=lambda one: one.name == "sign_out"):  # after that nothing is answered
        # Things of its own for each: some operations leave nothing that others could work with.
        params, ids = operation.params, await everything(run.world.clinic, "care_team", run.world.caller)
        await run.over_http(operation, run.mine.params(params, ids), right=True)
        await run.over_rpc(wire, operation, run.mine.params(params, ids))
        for wrong in run.mine.wrong(params, ids):
            await run.over_http(operation, wrong)
            await run.over_rpc(wire, operation, wrong)
    await wire.close()


async def strangers(run: Run) -> None:
    """Whoever knows nothing, and says it everywhere."""
    word, claims = run.mine.word, json.dumps({"sub": run.mine.word, "email": f"{run.mine}@clinic.invalid"})
    forged = f"{logs.printable(word)}.{claims.encode().hex()}.{word}"
    for token in (word, forged, run.token[:-4] + word):
        run.heard(await run.http.get("/api/me", headers={"Authorization": f"Bearer {token}"}))
        with contextlib.suppress(Refused, Lost):
            await Wire.open(run.gateway.socket_url, token)
    headers = dict.fromkeys(
        ("User-Agent", "Cookie", "Referer", "X-Forwarded-For", "X-Request-Id", "Accept", word), word
    )
    for path in (
        f"/{word}",
        f"/api/channels/{word}/messages?q={word}",
        f"/static/{word}",
        f"/?token={word}",
        f"/{quote(EVIL)}",
    ):
        run.heard(await run.http.get(path, headers=headers))
        run.heard(await run.http.post(path, headers=run.bearer, content=word.encode()))
    for method in (word.upper(), "PATCH"):
        run.heard(await run.http.request(method, "/api/me"))
    with contextlib.suppress(Exception):
        await Wire.open(run.gateway.socket_url + f"?{word}={word}", origin=f"https://{word}.invalid")
    wire = await Wire.open(run.gateway.socket_url + f"?token={word}", additional_headers=headers)
    await wire.ask(connect={"token": run.token, "name": word + EVIL, "version": EVIL + word, "data": {word: word}})
    for asked in (
        {"rpc": {"method": word, "data": {word: word}}}, {"rpc": {"method": EVIL + word, "data": EVIL}},
        {"subscribe": {"channel": word}}, {"subscribe": {"channel": EVIL + word, "recover": True, "epoch": word}},
        {"publish": {"channel": word, "data": word}}, {"history": {"channel": word}}, {"unsubscribe": {"channel": word}},
    ):  # fmt: skip
        with contextlib.suppress(Refused):
            await wire.ask(**asked)
    await wire.say(json.dumps({word: EVIL}) + "\n" + word + EVIL)
    await wire.closed()


async def mishaps(run: Run, owner: asyncpg.Connection) -> None:
    """The database refuses what was not foreseen, says so in words of its own, and dies in mid-operation."""
    run.token, first = run.second, run.token
    wire = await Wire.open(run.gateway.socket_url, run.token)
    ids = await everything(run.world.clinic, "care_team", run.colleague)
    for body in (
        f"raise exception 'no: % {run.mine}', new using detail = new::text, hint = new::text;",
        "perform pg_terminate_backend(pg_backend_pid()); return new;",
        "perform 1 / 0; return new;",
        "perform new::text::integer; return new;",
    ):
        await owner.execute(
            f"create or replace function mishap() returns trigger language plpgsql as $$ begin {body} end $$"
        )
        for table in ("people", "messages", "message_revisions", "memberships"):
            await owner.execute(
                f"create or replace trigger mishap before insert on {table} for each row execute function mishap()"
            )
        for name in ("patient.create", "team_member.create", "message.send", "member.add"):
            params = run.mine.params(BY_NAME[name].params, ids)
            await run.over_http(BY_NAME[name], params)
            await run.over_rpc(wire, BY_NAME[name], params)
    await owner.execute("drop function mishap cascade")
    run.token = first
    await wire.close()


def lines(run: Run) -> list[dict[str, Any]]:
    """What the gateway logged: each line one object, with nothing that anybody forged."""
    found = [json.loads(line) for line in run.gateway.log.read_text().splitlines()]
    assert all({"time", "level", "logger", "event"} <= set(line) for line in found)
    assert not [line for line in found if line["event"] == "forged" or line["level"] == "critical"]
    return found


@pytest.mark.catalogue("S21", "S34", "S35")
async def test_nothing_that_was_written_comes_out_where_it_should_not(
    run: Run, redis_url: str, owner: asyncpg.Connection, shared_postgres: Postgres | None, metrics_port: int
) -> None:
    async with monitored(redis_url) as to_redis:
        await strangers(run)
        await owner.execute(
            "alter table people add constraint unforeseen check (id < '') not valid;"
            "alter table message_revisions add constraint unforeseen check (revision < 0) not valid"
        )
        for name in ("patient.create", "team_member.create", "message.send"):
            await run.over_http(BY_NAME[name], run.mine.params(BY_NAME[name].params, run.world.own))
        await owner.execute(
            "alter table people drop constraint unforeseen; alter table message_revisions drop constraint unforeseen"
        )
        await every_operation(run)
        if shared_postgres is not None:
            assert not run.mine.found(shared_postgres.log.read_bytes())
        await mishaps(run, owner)
    async with httpx.AsyncClient() as operators:
        told = (await operators.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
    async with redis.Redis.from_url(redis_url) as client:
        assert [
            key async for key in client.scan_iter() if await client.ttl(key) < 0
        ] == []  # nothing stays there for good
    logged = run.gateway.log.read_text()
    for canary in (run.mine, run.theirs):
        assert not canary.found("\n".join(to_redis))
        assert not canary.found(told)
        assert not canary.found(logged), [line for line in logged.splitlines() if canary.found(line)][:3]
        assert not canary.found("\n".join(run.urls))
        assert not canary.found("\n".join(run.faults)), run.faults
    assert not run.theirs.found("\n".join(run.answers))
    assert not ID.search(told)
    assert run.token not in logged
    assert run.token.rpartition(".")[2] not in logged + told + "".join(to_redis)
    # Not in vain: the canaries were taken in, things went wrong, and the log tells of both.
    assert {"patient.create", "team_member.create", "message.send"} <= run.done
    assert run.mine.found("\n".join(run.answers))
    assert len(run.faults) >= 20
    found = lines(run)
    assert {"request", "operation done", "an operation failed"} <= {
        re.sub(r", request .*", "", line["event"]) for line in found
    }
    assert any({"connection", "request"} <= set(line) for line in found)
    types = {error["type"] for line in found for error in line.get("error", ())}
    assert {f"asyncpg.exceptions.{name}" for name in ("CheckViolationError", "InvalidTextRepresentationError")} <= types
    assert "asyncpg.exceptions.RaiseError sqlstate=P0001" in {line.get("cause") for line in found}
    routes = {line["route"] for line in found if line["event"] == "request"}
    assert "/api/channels/{channel_id}/messages" in routes
    assert routes <= {operation.path for operation in OPERATIONS} | {"(none)", "/", "/static", "/health"}
    failed = [line for line in found if line["level"] == "error" and line["logger"] == "server.watching"]
    assert {line["operation"] for line in failed} >= {"patient.create", "team_member.create"}
    for fault in run.faults:
        given = re.search(r"request id ([0-9a-f]{16})|'x-request-id': '([0-9a-f]{16})'", fault)
        assert given is None or (given[1] or given[2]) in logged


class Pipe(logging.Handler):
    """What a formatter makes of all records."""

    def __init__(self, formatter: logging.Formatter, picky: bool) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.text = ""
        if picky:
            self.addFilter(logs.wanted)

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(TypeError):
            self.text += self.format(record) + "\n"


@pytest.fixture
def pipes() -> Iterator[tuple[Pipe, Pipe, Pipe]]:
    """Ours in both its forms, and a plain one, with every library at DEBUG."""
    made = Pipe(logs.formatter(), True), Pipe(logs.formatter(readable=True), True), Pipe(logging.Formatter(), False)
    loggers = [
        logging.getLogger(),
        *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(1)
    for pipe in made:
        logging.getLogger().addHandler(pipe)
    yield made
    for pipe in made:
        logging.getLogger().removeHandler(pipe)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.catalogue("S21", "S35")
async def test_a_verb_that_raises_tells_nothing_of_what_it_held(
    front: Front, clinic: Clinic, mine: Canary, pipes: tuple[Pipe, Pipe, Pipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raising(_tx: object, _actor: Actor, params: Any) -> Any:
        held = f"in a variable: {params.legal_name}"
        try:
            int(params.email)
        except ValueError as first:
            both = [KeyError(params), UnicodeDecodeError("utf-8", held.encode(), 0, 1, held)]
            raise ExceptionGroup(held, both) from first

    operation = BY_NAME["patient.create"]
    monkeypatch.setitem(BY_NAME, "patient.create", replace(operation, verb=raising))
    settings = front.issuer.settings("postgresql://nowhere")
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    policy = ChatPolicy(clinic.database, dispatcher, KeyedVerifier.read(settings))
    app = Starlette(routes=front.http._transport.app.routes, middleware=[Middleware(Access)])
    front.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://clinic.invalid")
    params = mine.params(
        operation.params, {"team_member": clinic.clinician, "patient_group": "pg_00000000000000000000"}
    )
    answer = await front.operate(front.token(clinic.clinician), "patient.create", params)
    with pytest.raises(Failed) as failed:
        await policy.rpc(clinic.identity(clinic.clinician), "patient.create", json.dumps(params).encode())
    await front.http.aclose()
    assert answer.status_code == 500
    assert not mine.found(answer.text + str(failed.value))
    *ours, plain = pipes
    for pipe in ours:
        assert not mine.found(pipe.text)
        assert "UnicodeDecodeError" in pipe.text
        assert answer.json()["request_id"] in pipe.text
        [told] = re.findall("request id ([0-9a-f]{16})", str(failed.value))
        assert told in pipe.text
    # The test of the test: logged as most programs log, it is all there.
    assert mine.found(plain.text)


@pytest.mark.parametrize("way", PLANTED)
def test_a_word_is_found_however_it_comes_out(way: str, mine: Canary) -> None:
    assert mine.found(f"before {PLANTED[way](mine.word)} after")
    assert not mine.found(f"before {PLANTED[way]('another' + mine.word[8:])} after")


async def test_a_leak_into_redis_is_found(mine: Canary, redis_url: str) -> None:
    async with monitored(redis_url) as heard, redis.Redis.from_url(redis_url) as client:
        await client.publish("topic", b"\x93\x01" + f"Text {mine}".encode())
        await client.publish("topic", f"Text {mine}".encode("utf-16-le"))
    found = [command for command in heard if mine.found(command)]
    assert len(found) == 2


def test_a_leak_into_the_metrics_is_found(mine: Canary) -> None:
    planted = Counter("planted", "A leak.", ["name"], registry=metrics.REGISTRY)
    try:
        planted.labels(f"Patient {mine}").inc()
        assert mine.found(metrics.page())
    finally:
        metrics.REGISTRY.unregister(planted)
    assert not mine.found(metrics.page())


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.method in ("GET", "DELETE")], ids=lambda one: one.name
)
def test_what_somebody_writes_never_has_to_stand_in_a_url(operation: Operation, mine: Canary) -> None:
    ids = {field.names: "x" for field in id_fields(operation.params)}
    assert not mine.found(json.dumps(mine.params(operation.params, ids)))
