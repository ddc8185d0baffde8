"""Which push endpoints are acceptable (reliability.md S18). Pure.

An endpoint is an address that somebody gives, and that we then send to: so it is one of a known provider's, in the plainest
form there is, and nothing else. That its address is a public one is looked at when something is sent there.
"""

import re
from dataclasses import dataclass
from typing import Final

from server.config import PUSH_PROVIDERS

LONGEST: Final = 2000

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FORM = re.compile(
    rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]+)"
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whose endpoints are taken: these hosts and those below them. `local`: also these origins of this machine, which the
    settings take in profile dev only."""

    providers: tuple[str, ...] = PUSH_PROVIDERS
    local: tuple[str, ...] = ()

    def host(self, endpoint: str) -> str:
        """The host of an endpoint that may be sent to.

        Raises:
            ValueError: why it may not; in words that repeat nothing of it.
        """
        if len(endpoint) > LONGEST:
            raise ValueError(f"must be at most {LONGEST} characters long")
        form = _FORM.fullmatch(endpoint)
        if form is None:
            raise ValueError("must be https://host/path, as the browser's push subscription has it")
        host, port = form["host"], form["port"]
        if any(endpoint.startswith(f"{origin}/") for origin in self.local):
            return host
        if port not in (None, "443"):
            raise ValueError("must be on port 443")
        if not any(host == one or host.endswith(f".{one}") for one in self.providers):
            raise ValueError("must be an endpoint of one of the push providers that this server sends to")
        return host
