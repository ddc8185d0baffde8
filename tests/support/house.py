"""A clinic of which everything runs that reaches people who are away, and marked words for whatever takes any."""

import asyncio
import io
import itertools
import re
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from server.operations import BY_NAME
from tests.support.canary import Canary
from tests.support.cast import Clinic
from tests.support.net import Net
from tests.support.push_endpoint import Registration
from tests.support.site import Gateway, Site

FROM, PAGES = "notices@clinic.example", "https://chat.clinic.example"
SORTS = (
    *("legal", "preferred", "display", "colleague", "email", "channel", "organization", "contact"),
    *("file", "body", "note", "reason", "anything"),
)


def canaries(*sorts: str) -> dict[str, Canary]:
    """A word for each."""
    return {sort: Canary(f"{re.sub('[^a-z]', '', sort)}{secrets.token_hex(6)}") for sort in sorts}


@dataclass
class House:
    """A clinic with everything that reaches its people running, and marked words for whatever takes any."""

    site: Site
    clinic: Clinic
    gateway: Gateway
    net: Net
    http: httpx.AsyncClient
    words: dict[str, Canary]
    serial: "itertools.count[int]" = field(default_factory=itertools.count)
    devices: dict[str, Registration] = field(default_factory=dict)
    undo: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What is to be done at the end."""

    def say(self, sort: str) -> str:
        """A text of this sort, another one each time."""
        return f"Words {self.words[sort]} {next(self.serial)}"

    def email(self) -> str:
        return f"{self.words['email']}{next(self.serial)}@clinic.invalid"

    def bearer(self, person: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.site.token(self.clinic.identity(person))}"}

    async def ask(self, person: str, name: str, params: dict[str, Any]) -> httpx.Response:
        """One operation over HTTP."""
        operation = BY_NAME[name]
        path, rest = operation.path, {}
        for key, value in params.items():
            if f"{{{key}}}" in path:
                path = path.replace(f"{{{key}}}", str(value))
            else:
                rest[key] = value
        more: dict[str, Any] = {"json": rest} if operation.method in ("POST", "PUT") else {"params": rest}
        return await self.http.request(operation.method, path, headers=self.bearer(person), **more)

    async def call(self, person: str, name: str, /, **params: Any) -> Any:
        """One operation that must succeed; what it answers."""
        answer = await self.ask(person, name, params)
        assert answer.status_code in (200, 201), (name, answer.text)
        said = answer.json()
        return said.get("data", said)

    async def member(self) -> str:
        """A colleague, with a browser that takes pushes."""
        email, admin = self.email(), self.clinic.clinician
        made = await self.call(admin, "team_member.create", name=self.say("colleague"), email=email, role="DOCTOR")
        return await self.with_device(made["id"])

    async def patient(self) -> str:
        """A patient with all their names and a picture, and a browser that takes pushes."""
        made = await self.call(
            self.clinic.clinician, "patient.create", legal_name=self.say("legal"), preferred_name=self.say("preferred"),
            email=self.email(), allocation_clinician_id=self.clinic.clinician,
        )  # fmt: skip
        await self.call(made["id"], "profile.update", display_name=self.say("display"))
        picture, name = io.BytesIO(), f"{self.words['file']}.jpg"
        Image.new("RGB", (64, 64), "teal").save(picture, "JPEG", comment=name.encode())
        headers = self.bearer(made["id"]) | {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-File-Name": name,
        }
        given = await self.http.put("/api/profile/picture", content=picture.getvalue(), headers=headers)
        assert given.status_code == 204
        refused = await self.http.put("/api/profile/picture", files={name: (name, name.encode())}, headers=headers)
        assert refused.status_code == 422
        return await self.with_device(made["id"])

    async def with_device(self, person: str) -> str:
        self.devices[person] = self.net.endpoint.register()
        await self.call(person, "device.add", **self.devices[person].params())
        return person

    async def send(self, person: str, channel: str, **more: Any) -> Any:
        """They write something."""
        given = {"channel_id": channel, "client_id": f"c{next(self.serial)}", "text": self.say("body")} | more
        return await self.call(person, "message.send", **given)

    async def until(self, query: str) -> None:
        """Wait until it is true."""
        async with asyncio.timeout(20):
            while not (await self.net.owner.fetchval(query)):
                await asyncio.sleep(0.05)
