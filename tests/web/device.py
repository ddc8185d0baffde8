"""A browser as a device that takes pushes, without the browser vendor's service between (stack.md §2.7).

`PushManager` is a stand-in with an endpoint and keys of the test's own; the service worker, its notifications and all of the page
are real. What arrives at the endpoint is handed to the worker by the DevTools protocol.
"""

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Page

Json = dict[str, Any]

_STAND_IN = """
(() => {
    const given = %s;
    const kept = () => JSON.parse(localStorage.getItem("test.push") ?? "null");
    const bytes = (key) => Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)).buffer;
    const made = (options) => options && {
        endpoint: given.endpoint,
        options: { applicationServerKey: bytes(options.key) },
        toJSON: () => ({ endpoint: given.endpoint, keys: { p256dh: given.p256dh, auth: given.auth } }),
        unsubscribe: async () => (localStorage.removeItem("test.push"), true),
    };
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey: key }) => {
        if (Notification.permission !== "granted" || !userVisibleOnly) throw new DOMException("refused", "NotAllowedError");
        localStorage.setItem("test.push", JSON.stringify({ key }));
        return made({ key });
    };
    PushManager.prototype.getSubscription = async () => made(kept());
    const ask = Notification.requestPermission.bind(Notification);
    window.asked = 0;
    Notification.requestPermission = () => ((window.asked += 1), ask());
})();
"""


@dataclass
class Device:
    """One browser: its endpoint, and the keys that what is sent there is encrypted for."""

    endpoint: str = "https://fcm.googleapis.com/fcm/send/demo"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def script(self) -> str:
        """What runs ahead of the page's own scripts. `window.asked` counts how often the browser's permission was asked for."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return _STAND_IN % json.dumps(
            {"endpoint": self.endpoint, "p256dh": _base64url(point), "auth": _base64url(self.secret)}
        )


class Worker:
    """The service worker of a page: pushes are handed to it as the browser would."""

    def __init__(self, page: Page, cdp: Any, registration: str) -> None:
        self._page = page
        self._cdp = cdp
        self._registration = registration

    @classmethod
    async def of(cls, page: Page) -> "Worker":
        """As soon as it runs."""
        cdp = await page.context.new_cdp_session(page)
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def told(event: Json) -> None:
            for registration in event["registrations"]:
                if not found.done() and not registration["isDeleted"]:
                    found.set_result(registration["registrationId"])

        cdp.on("ServiceWorker.workerRegistrationUpdated", told)
        await cdp.send("ServiceWorker.enable")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        async with asyncio.timeout(10):
            return cls(page, cdp, await found)

    async def push(self, payload: Json | str) -> None:
        """A push arrives, decrypted."""
        await self._cdp.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": await self._page.evaluate("location.origin"),
                "registrationId": self._registration,
                "data": payload if isinstance(payload, str) else json.dumps(payload),
            },
        )

    async def notifications(self) -> list[Json]:
        """Those that stand."""
        return list(
            await self._page.evaluate("""async () => {
                const all = await (await navigator.serviceWorker.ready).getNotifications();
                return all.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
            }""")
        )

    async def standing(self, count: int) -> list[Json]:
        """The notifications, once there are so many."""
        async with asyncio.timeout(10):
            while len(found := await self.notifications()) != count:
                await asyncio.sleep(0.02)
        return found

    async def run(self, script: str) -> Any:
        """Evaluate something inside the worker."""
        [worker] = self._page.context.service_workers
        return await worker.evaluate(script)


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
