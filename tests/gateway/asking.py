"""Asking for what was missed, and reading the answer."""

from typing import Any

from tests.gateway.wire import Wire
from tests.gateway.world import World


def ward(rows: int = 0, text: str = "") -> World:
    """A ward with the demo clinician in it, and rows up to that offset."""
    world = World()
    world.join("ward", "demo-clinician")
    for offset in range(2, rows + 1):
        world.write("ward", text or f"text {offset}")
    return world


async def recover(wire: Wire, offset: int, epoch: str = "e1", **more: Any) -> dict[str, Any]:
    return await wire.ask(subscribe={"channel": "ward", "recover": True, "offset": offset, "epoch": epoch, **more})


def offsets(result: dict[str, Any]) -> list[int]:
    return [publication["offset"] for publication in result.get("publications", [])]
