"""Unread emails: the relay can be reached, encrypted, and takes emails from our address; or there is none."""

from server.cli.checks.findings import Finding, error, ok, warning
from server.config import Settings
from server.errors import Misconfigured
from server.notices.relay import RelayAway, outlet

PART = "mail"
_DO = "Meanwhile unread emails wait, and go when it is back. Correct WARMLINE_SMTP_URL, or see to the relay."


async def check(settings: Settings) -> list[Finding]:
    """Whether emails would leave."""
    if settings.smtp_url is None:
        says = "WARMLINE_SMTP_URL: not set, so nobody is emailed about unread messages"
        if settings.profile == "dev":
            return [ok(PART, says)]
        do = "Set it with WARMLINE_MAIL_FROM and WARMLINE_PUBLIC_URL; or leave it, and tell people that no email comes."
        return [warning(PART, says, do)]
    try:
        relay = outlet(settings)
    except Misconfigured as wrong:
        return [error(PART, str(wrong), "Correct it, and start again.")]
    try:
        protected = await relay.look(settings.mail_from or "")
    except RelayAway as away:
        return [error(PART, f"the mail relay takes no emails: {away}", _DO)]
    finally:
        await relay.close()
    return [ok(PART, f"the mail relay takes emails from WARMLINE_MAIL_FROM ({protected})")]
