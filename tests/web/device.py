"""A browser as a device that takes pushes, without the browser vendor's service between (stack.md §2.7).

`PushManager` is a stand-in with an endpoint and keys of the test's own; the service worker, its notifications and all of the page
are real. What arrives at the endpoint is handed to the worker by the DevTools protocol.
"""

import asyncio
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Page

from tests.support.browser import until
from tests.support.push_endpoint import Registration

Json = dict[str, Any]

_STAND_IN = """
(() => {
    const { endpoint, ...keys } = %s;
    const kept = () => JSON.parse(localStorage.getItem("test.push") ?? "null");
    const bytes = (key) => Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)).buffer;
    const made = (options) => options && {
        endpoint,
        options: { applicationServerKey: bytes(options.key) },
        toJSON: () => ({ endpoint, keys }),
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


def registered_elsewhere() -> Registration:
    """What a browser would have of a provider to which nothing is sent in this test."""
    endpoint = f"https://fcm.googleapis.com/fcm/send/{secrets.token_hex(8)}"
    return Registration(endpoint, ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16))


def taking_pushes(registration: Registration) -> str:
    """What runs ahead of the page's own scripts: the browser's registration with its provider is this one.

    `window.asked` counts how often the browser's permission was asked for.
    """
    params = registration.params()
    return _STAND_IN % json.dumps({name: params[name] for name in ("endpoint", "p256dh", "auth")})


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
        await until(page, "navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')")
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

    async def counted(self, count: int) -> list[int]:
        """What the worker has put on the icon, as a test's script noted it in `self.counted`, once it was so often."""
        async with asyncio.timeout(10):
            while len(found := await self.run("self.counted")) < count:
                await asyncio.sleep(0.02)
        return list(found)

    async def run(self, script: str) -> Any:
        """Evaluate something inside the worker."""
        [worker] = self._page.context.service_workers
        return await worker.evaluate(script)
