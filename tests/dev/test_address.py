"""Where the demo listens: PORT is checked before anything is started."""

import socket

import pytest

from server.dev import address
from server.errors import Misconfigured


async def test_any_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "0")
    host, port = await address.chosen()
    assert address.is_free(host, port)


@pytest.mark.parametrize("text", ["eighty", "-1", "65536", "80.5", "٣٢٥"])
async def test_not_a_port(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(Misconfigured, match=r"PORT: .* is not a port"):
        await address.chosen()


async def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PAUSES", (0,))
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("PORT", str(other.getsockname()[1]))
        with pytest.raises(Misconfigured, match="another program listens"):
            await address.chosen()
