"""`warmline mail test`: one email through the mail relay, to see that it arrives and what it looks like."""

import argparse

from server.cli import within
from server.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add it."""
    family = commands.family("mail", "try the mail relay")
    what = "send an unread email that is about nothing, to see that it arrives and what it looks like"
    made = family.add("test", test, what, f"{within.SETTINGS}. {within.BESIDE_DEV}", changes=True)
    made.add_argument("address", help="where to; its unsubscribe link is nobody's")


def test(chosen: argparse.Namespace) -> None:
    """Send it, or only see whether the relay would take it."""
    import asyncio

    asyncio.run(_test(chosen.address, chosen.dry_run))


async def _test(address: str, dry_run: bool) -> None:
    from server.errors import Misconfigured, Unavailable
    from server.ids import MailId, now, random_token
    from server.notices.mailing import Mail, Sender, compose
    from server.notices.relay import Again, Refused, RelayAway, outlet

    settings = within.settings()
    if settings.smtp_url is None or settings.mail_from is None or settings.public_url is None:
        raise Misconfigured("WARMLINE_SMTP_URL: not set, so no emails are sent")
    code = random_token() + random_token()
    mail = Mail(MailId.new(), address, "team_member", None, code, now())
    letter = compose(mail, Sender(settings.mail_from, settings.public_url))
    relay = outlet(settings)
    try:
        protected = await relay.look(settings.mail_from)
        if dry_run:
            print(f"Would send it; the mail relay takes emails from {settings.mail_from} ({protected}).")
            return
        await relay.send(letter)
    except RelayAway as away:
        raise Unavailable(f"The mail relay takes no emails: {away}.") from None
    except (Again, Refused) as refused:
        raise Unavailable(f"The mail relay did not take it: {refused.why}.") from None
    finally:
        await relay.close()
    print(f"Sent, as {letter.message_id}; the mail relay took it ({protected}).")
