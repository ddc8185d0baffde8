"""A step that takes long is seen to go on; a quick one says nothing."""

import asyncio

import pytest

from server.dev.progress import step


async def test_long_and_quick_steps(capsys: pytest.CaptureFixture[str]) -> None:
    async with step("Something quick"):
        await asyncio.sleep(0)
    async with step("Something long"):
        await asyncio.sleep(2.1)
    said = capsys.readouterr().out
    assert said == "Something long ... 2 s\n"
