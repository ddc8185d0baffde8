"""How HTTP says no."""

from starlette.responses import JSONResponse, Response

from server.errors import TooMany, Unauthorized, WarmlineError
from server.limits import seconds

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def refusal(error: WarmlineError, request_id: str, *, envelope: bool = False) -> Response:
    """An error as HTTP carries it: the same code and words as over the WebSocket; in an envelope, with `success` before it."""
    body = {"code": error.code, "message": error.message, "temporary": error.temporary}
    headers = HEADERS | {"X-Request-Id": request_id}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(seconds(error.after))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    said = {"error": body, "request_id": request_id}
    return JSONResponse({"success": False, **said} if envelope else said, error.status, headers)
