"""What is wrong about settings that are each right by themselves, each with the fix: what is unsafe, and what does not fit."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from server.config import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
GUESSED = (
    *("admin", "changeme", "change-me", "letmein", "pass", "passw0rd", "password", "postgres", "redis", "root"),
    *("secret", "test", "warmline"),
)
"""Passwords out of examples, which are no secret in production."""


def wrong(settings: "Settings") -> Iterator[str]:
    """All of it, a line each; values are not repeated, but for addresses."""
    yield from _dangers(settings) if settings.profile == "production" else _away_from_home(settings)
    for part in (_addresses, _two_ways_to_sign_in, _pushing, _mailing):
        yield from part(settings)


def _away_from_home(settings: "Settings") -> Iterator[str]:
    """Anybody signs in as anybody in profile dev: it stays on this machine."""
    if settings.host not in LOOPBACK:
        yield f"HOST: profile dev listens on loopback only, not on {settings.host}; unset HOST"


def _dangers(settings: "Settings") -> Iterator[str]:
    """What is convenient in development, and would be a disaster in a clinic (reliability.md S02, S36)."""
    if settings.dev_key_file:
        yield "WARMLINE_DEV_KEY_FILE: the development issuer runs in WARMLINE_PROFILE=dev only; unset it"
    if settings.push_local:
        yield "WARMLINE_PUSH_LOCAL: pushes go to this machine in WARMLINE_PROFILE=dev only; unset it"
    if settings.host not in LOOPBACK and not settings.tls_at_proxy:
        yield (
            f"HOST: on {settings.host} everything would be readable on its way. Put a proxy that ends TLS in front, "
            "make it the only way in, and set WARMLINE_TLS_AT_PROXY=true"
        )
    for origin in settings.allowed_origins:
        if not origin.startswith("https://") and urlsplit(origin).hostname not in LOOPBACK:
            yield "WARMLINE_ALLOWED_ORIGINS: a page that came unencrypted may be anybody's; name https:// only"
    for name, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)):
        if (urlsplit(url).password or "").lower() in GUESSED:
            yield f"{name}: its password is one that everybody tries first; give it a random one"


def _addresses(settings: "Settings") -> Iterator[str]:
    """What would be believed, and fit nothing that ever comes."""
    try:
        _ = urlsplit(settings.redis_url).port
    except ValueError:
        yield "REDIS_URL: its port is no number (or its password has a / # ? that is not written as %2F %23 %3F)"
    for origin in settings.allowed_origins:
        if "://" in origin and not re.fullmatch(r"[^/]+://[^/?#@\sA-Z]+", origin):
            yield (
                "WARMLINE_ALLOWED_ORIGINS: compared as browsers say them: https://chat.clinic.example, in small "
                "letters, with no path and no / at the end"
            )
    for one in filter(None, map(str.strip, settings.trusted_proxies.split(","))):
        try:
            ip_network(one)
        except ValueError:
            yield f"WARMLINE_TRUSTED_PROXIES: {one} is neither an address nor a network such as 10.0.0.0/8"


def _two_ways_to_sign_in(settings: "Settings") -> Iterator[str]:
    """What does not fit together about the sign-in provider."""
    for name, url in (
        ("TOKEN_ISSUER", None if settings.token_keys_file else settings.token_issuer),
        ("OIDC_JWKS_URL", settings.oidc_jwks_url),
        *(("OIDC_ORIGINS", origin) for origin in settings.oidc_origins),
    ):
        if url is not None and origin_of(url) is None:
            yield f"WARMLINE_{name}: without WARMLINE_TOKEN_KEYS_FILE it takes https://… of the sign-in provider"
    if settings.oidc_organization and settings.oidc_organization_claim:
        yield "WARMLINE_OIDC_ORGANIZATION: unset it, or WARMLINE_OIDC_ORGANIZATION_CLAIM"


def _pushing(settings: "Settings") -> Iterator[str]:
    """What does not fit together about push."""
    if settings.vapid_key_file and not settings.vapid_subject:
        yield "WARMLINE_VAPID_SUBJECT: required with WARMLINE_VAPID_KEY_FILE; mailto:… of whoever runs this"
    for host in settings.push_providers:
        if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]+", host):
            yield "WARMLINE_PUSH_PROVIDERS: it takes names of hosts, such as push.example.com, comma-separated"
    for origin in settings.push_local:
        https = origin.startswith("https://") and origin_of(origin) == origin
        if not (https and urlsplit(origin).hostname in LOOPBACK):
            yield "WARMLINE_PUSH_LOCAL: it takes https://127.0.0.1:PORT, or another name of loopback"


def _mailing(settings: "Settings") -> Iterator[str]:
    """What does not fit together about unread emails."""
    if settings.smtp_url and not (settings.mail_from and settings.public_url):
        yield "WARMLINE_SMTP_URL: emails need WARMLINE_MAIL_FROM and WARMLINE_PUBLIC_URL as well; or unset it"
    if settings.profile != "dev" and (settings.smtp_url or "").startswith("file:"):
        yield "WARMLINE_SMTP_URL: emails go to a folder in WARMLINE_PROFILE=dev only; name a relay: smtp://HOST:PORT"


def origin_of(url: str) -> str | None:
    """The origin of an https address (or of an http one on loopback); None of anything else."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not safe or not re.fullmatch(r"[a-z0-9.-]+|::1", host) or "@" in parts.netloc:
        return None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
