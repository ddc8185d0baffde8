"""The state machine of one connection, as its tests take it up."""

from dataclasses import replace

from server.gateway import protocol as p
from server.gateway.connection import Connection
from server.gateway.effects import Admit, Say
from server.gateway.ports import Admission
from server.gateway.settings import GatewaySettings

PERSON = Admission("identity", "person", "#person", 0, b"{}")
OVER = p.CloseCode


def fresh(**settings: float) -> Connection:
    return Connection("c1", replace(GatewaySettings(), **settings), now=100.0, jitter=0.5)


def opened(ttl: int = 0, **settings: float) -> Connection:
    connection = fresh(**settings)
    assert connection.receive([p.Connect(1, "t")], 101) == [Admit("t")]
    connection.admitted(replace(PERSON, ttl=ttl), 101)
    return connection


def ask(connection: Connection, *commands: p.Command, now: float = 102) -> list[object]:
    return list(connection.receive(commands, now))


def codes(effects: list[object]) -> list[int]:
    """The error codes in some effects."""
    return [
        effect.message.result.code
        for effect in effects
        if isinstance(effect, Say)
        and isinstance(effect.message, p.Reply)
        and isinstance(effect.message.result, p.Error)
    ]
