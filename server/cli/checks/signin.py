"""Signing in: the provider's discovery document and keys can be had from here and are its own, or the file of keys holds some."""

import httpx
from joserfc.errors import JoseError

from server.cli.checks.findings import Finding, error, ok
from server.config import Settings
from server.errors import Misconfigured, WarmlineError
from server.people.provider import Provider
from server.people.tokens import KeyedVerifier

PART = "sign-in"


async def check(settings: Settings) -> list[Finding]:
    """Whether tokens can be checked."""
    if settings.token_keys_file is not None:
        try:
            KeyedVerifier.read(settings)
        except Misconfigured as wrong:
            return [error(PART, str(wrong), "Put the issuer's JWKS there.")]
        return [ok(PART, "the file of the issuer's public keys holds keys that sign")]
    provider = Provider(settings)
    try:
        count = await provider.look()
    except (httpx.HTTPError, WarmlineError, JoseError, ValueError, TypeError, KeyError, AttributeError) as wrong:
        why = str(wrong) if type(wrong) is ValueError else type(wrong).__name__
        do = "See that WARMLINE_TOKEN_ISSUER is the provider's issuer to the letter, and that it can be reached from here."
        return [error(PART, f"the sign-in provider does not answer as it should ({why}): nobody can sign in", do)]
    finally:
        await provider.stop()
    return [ok(PART, f"the sign-in provider answers, and has {count} keys that sign")]
