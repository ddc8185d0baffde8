"""GET and POST /unsubscribe/{code}: the link in every unread email, for people and for their mail programs (RFC 8058).

Looking changes nothing: programs open links by themselves. A POST does, from a mail program at once and from the page by its
button; so it takes no cookie, no sign-in and no script. The code stands in no log: lines there have the route's template.
"""

import re
import time
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.api.access import REQUEST_ID
from server.api.http import body
from server.api.pages import HEADERS, WEB
from server.db import Database
from server.errors import TooMany, WarmlineError
from server.ids import now, random_token
from server.limits import Rate, Rates, origin, seconds
from server.notices import unsubscribing

_PAGES = {path.stem: path.read_bytes() for path in Path(WEB / "unsubscribe").glob("*.html")}
_HEADERS = HEADERS | {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'"),
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
_CODE = re.compile("[0-9A-Za-z_-]{22,64}")
_MOST = 4096
_RATE = Rate(per_second=5, burst=100)
"""For one address. A mail provider's machines may come for many people; a code is not to be guessed by anybody."""


def routes(database: Database) -> list[BaseRoute]:
    """The two."""
    rates = Rates(_RATE, "Try again in {seconds} s.")

    async def unsubscribe(request: Request) -> Response:
        try:
            rates.take(origin(request.client.host if request.client else ""), time.monotonic())
            return await _answer(request, database)
        except TooMany as busy:
            return _page("later", 429, {"Retry-After": str(seconds(busy.after))})
        except WarmlineError as error:
            return _page("later", error.status)

    return [Route("/unsubscribe/{code}", unsubscribe, methods=["GET", "POST"])]


async def _answer(request: Request, database: Database) -> Response:
    code = request.path_params["code"]
    if not _CODE.fullmatch(code):
        return _page("unknown", 404)
    again = request.method == "POST" and _asks_again(await body(request, _MOST))
    async with database.transaction() as tx:
        if request.method == "POST":
            request_id = request.scope.get(REQUEST_ID) or random_token()
            found = await unsubscribing.switch(tx, code, again, now(), request_id)
        else:
            found = await unsubscribing.behind(tx, code)
    if found is None:
        return _page("unknown", 404)
    if request.method == "POST":
        return _page("again" if again else "stopped")
    return _page("ask" if found.wanted else "stopped")


def _asks_again(said: bytes) -> bool:
    """Whether it was the button that undoes it; whatever else is posted, by whatever program, means: no more."""
    return parse_qs(said.decode("ascii", "replace")).get("do") == ["again"]


def _page(name: str, status: int = 200, more: dict[str, str] | None = None) -> Response:
    return Response(_PAGES[name], status, _HEADERS | (more or {}), media_type="text/html")
