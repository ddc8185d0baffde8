"""A sign-in provider of the tests: a real OpenID Connect provider on loopback, small, with switches for what goes wrong.

Discovery, authorization code with PKCE (S256 alone), refresh tokens that rotate, keys that rotate, end of session, and a sign-in
of its own in a cookie, as providers have. People are picked by a link instead of a password.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.issuer import AUDIENCE

CLIENT = "warmline-pages"
Claims = dict[str, Any]


@dataclass
class Grant:
    """What a code or a refresh token stands for."""

    subject: str
    nonce: str
    auth_time: float
    challenge: str = ""
    redirect_uri: str = ""


@dataclass
class Provider:
    """The provider, and what tests do to it. `people` are the claims by subject that its tokens carry."""

    people: dict[str, Claims] = field(default_factory=dict)
    redirects: set[str] = field(default_factory=set)
    """Where codes may be sent to, and where people may go after signing out."""
    seconds: int = 300
    """How long its access tokens last."""
    away: bool = False
    """Nothing but errors."""
    gives_away: bool = False
    """No tokens, but errors."""
    slow: float = 0.0
    fragment: bool = True
    gives_refresh_tokens: bool = True
    fetched: dict[str, int] = field(default_factory=dict)
    """How often something was asked for, by path."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The authorization requests."""
    said: Claims = field(default_factory=dict)
    """What its discovery document says otherwise."""

    def __post_init__(self) -> None:
        self.port = 0
        self.keys: list[RSAKey | ECKey] = [_rsa()]
        self._codes: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._here: dict[str, tuple[str, float]] = {}

    @property
    def issuer(self) -> str:
        """Its name, and where it is."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a gateway must be told to trust it."""
        return {
            "WARMLINE_TOKEN_ISSUER": self.issuer,
            "WARMLINE_TOKEN_KEYS_FILE": "",
            "WARMLINE_DEV_KEY_FILE": "",
            "WARMLINE_OIDC_CLIENT_ID": CLIENT,
        }

    def rotate(self, keep: bool = True, elliptic: bool = False) -> None:
        """Sign with a new key from now on; the old one stays published, or not."""
        self.keys = [_ec() if elliptic else _rsa(), *(self.keys if keep else [])]

    def claims(self, subject: str, **changes: Any) -> Claims:
        """The claims of a good access token, changed; a claim changed to None is left out."""
        issued = time.time()
        good = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": issued, "auth_time": issued}
        good |= {"exp": int(issued) + self.seconds, "client_id": CLIENT, "jti": secrets.token_hex(8)}
        return {n: v for n, v in (good | self.people.get(subject, {}) | changes).items() if v is not None}

    def token(self, subject: str, key: Any = None, header: Claims | None = None, **changes: Any) -> str:
        """An access token, as the provider signs it, or under another key or header."""
        key = key or self.keys[0]
        alg = "ES256" if isinstance(key, ECKey) else "RS256"
        return jwt.encode({"alg": alg, "kid": key.kid} | (header or {}), self.claims(subject, **changes), key)

    def forget(self, subject: str) -> None:
        """End what the provider itself remembers of somebody: refresh tokens and its own sign-in."""
        self._refresh = {token: grant for token, grant in self._refresh.items() if grant.subject != subject}
        self._here = {cookie: who for cookie, who in self._here.items() if who[0] != subject}

    # Its endpoints

    async def discovery(self, _request: Request) -> Response:
        found = {name: f"{self.issuer}/{name}" for name in ("authorize", "token", "jwks", "end_session")}
        modes = ["query", "fragment"] if self.fragment else ["query"]
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": found["authorize"],
                "token_endpoint": found["token"],
                "jwks_uri": found["jwks"],
                "end_session_endpoint": found["end_session"],
                "response_modes_supported": modes,
            }
            | self.said
        )

    async def jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        wrong = asked.get("client_id") != CLIENT or asked.get("redirect_uri") not in self.redirects
        if wrong or asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return HTMLResponse("<h1>Wrong request</h1>", 400)
        known = self._here.get(request.cookies.get("here", ""))
        picked = asked.pop("pick", None)
        if picked == "nobody":
            return self._back(asked, error="access_denied")
        if picked is None and known is not None and asked.get("prompt") != "login":
            return self._code(asked, *known)
        if picked is None:
            links = [
                f'<p><a href="/authorize?{urlencode(asked | {"pick": one})}">{one}</a></p>'
                for one in [*self.people, "nobody"]
            ]
            return HTMLResponse(f"<!doctype html><title>Provider</title><h1>Sign in</h1>{''.join(links)}")
        return self._code(asked, picked, time.time())

    def _code(self, asked: dict[str, str], subject: str, since: float) -> Response:
        code, cookie = secrets.token_urlsafe(), secrets.token_urlsafe()
        self._codes[code] = Grant(subject, asked["nonce"], since, asked["code_challenge"], asked["redirect_uri"])
        answer = self._back(asked, code=code)
        self._here[cookie] = subject, since
        answer.set_cookie("here", cookie, httponly=True, samesite="lax")
        return answer

    def _back(self, asked: dict[str, str], **said: str) -> Response:
        mark = "#" if asked.get("response_mode") == "fragment" else "?"
        answer = urlencode(said | {"state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}{mark}{answer}", 303)

    async def tokens(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        grant: Grant | None = None
        if asked.get("client_id") == CLIENT and asked.get("grant_type") == "authorization_code":
            grant = self._codes.pop(asked.get("code", ""), None)
            proof = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
            if grant and (grant.challenge, grant.redirect_uri) != (challenge, asked.get("redirect_uri")):
                grant = None
        elif asked.get("client_id") == CLIENT and asked.get("grant_type") == "refresh_token":
            grant = self._refresh.pop(asked.get("refresh_token", ""), None)
        if grant is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        said = {"access_token": self.token(grant.subject, auth_time=grant.auth_time), "token_type": "Bearer"}
        about = {"iss": self.issuer, "aud": CLIENT, "sub": grant.subject, "nonce": grant.nonce}
        times = {"iat": int(time.time()), "exp": int(time.time()) + 300}
        said["id_token"] = jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, about | times, self.keys[0])
        if self.gives_refresh_tokens:
            said["refresh_token"] = secrets.token_urlsafe()
            self._refresh[said["refresh_token"]] = grant
        return JSONResponse(said | {"expires_in": self.seconds}, headers={"Cache-Control": "no-store"})

    async def end_session(self, request: Request) -> Response:
        self._here.pop(request.cookies.get("here", ""), None)
        back = request.query_params.get("post_logout_redirect_uri", "")
        if back not in self.redirects or request.query_params.get("client_id") != CLIENT:
            return HTMLResponse("<h1>You are signed out</h1>")
        return RedirectResponse(back, 303)

    def app(self) -> Starlette:
        """All of it as an application."""

        def counted(path: str, endpoint: Any) -> Route:
            async def answer(request: Request) -> Response:
                self.fetched[path] = self.fetched.get(path, 0) + 1
                await asyncio.sleep(self.slow)
                out = self.away or (self.gives_away and path == "/token")
                found = JSONResponse({"error": "away"}, 503) if out else await endpoint(request)
                # Pages of other origins may ask for tokens, as providers allow it for public clients.
                found.headers["Access-Control-Allow-Origin"] = "*"
                return found

            return Route(path, answer, methods=["GET", "POST"])

        return Starlette(
            routes=[
                counted("/.well-known/openid-configuration", self.discovery),
                counted("/jwks", self.jwks),
                counted("/authorize", self.authorize),
                counted("/token", self.tokens),
                counted("/end_session", self.end_session),
            ]
        )


@contextlib.asynccontextmanager
async def providing(**options: Any) -> AsyncIterator[Provider]:
    """A provider that answers, for as long as the block lasts."""
    provider = Provider(**options)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    provider.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(provider.app(), lifespan="off", log_config=None))
    running = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield provider
    finally:
        server.should_exit = server.force_exit = True
        await running


def _rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(4)})


def _ec() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": secrets.token_hex(4)})


def header_of(token: str) -> Claims:
    """The header that a token carries."""
    part = token.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
