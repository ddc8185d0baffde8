"""Sends unread emails: claims what is due, checks it once more, hands it to the mail relay, and notes what came of it.

One email at a time per connection, and the next only when the one before is noted: whoever is killed between the relay's yes and
the note of it leaves one email in doubt, which goes once more under the same Message-ID. Any number of workers may do this side
by side.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from server import metrics
from server.config import Settings
from server.db import Database
from server.errors import Invalid, WarmlineError
from server.ids import now
from server.notices import mails
from server.notices.mailing import Sender, compose
from server.notices.mails import MailDue, Outcome
from server.notices.relay import Again, Folder, Refused, Relay, RelayAway, outlet
from workers.noting import Notes
from workers.ready import Ready

EVERY_SECONDS = 1.0
AT_ONCE = 16
"""Mails that are claimed at a time for each connection, at most: as many as leave while the look at them is fresh."""
FRESH = timedelta(milliseconds=500)
"""How old the last look at whether an email is still wanted may be when it leaves; else there is another."""
_LONGEST_PAUSE = 15.0

log = logging.getLogger(__name__)


class Mailer:
    """The emails of one worker. `outlets`: the connections to the relay; none: emails are off."""

    def __init__(self, database: Database, outlets: Sequence[Relay | Folder], sender: Sender) -> None:
        self._database = database
        self._outlets = outlets
        self._sender = sender
        self._notes = Notes(database)
        self._most = AT_ONCE * len(outlets)
        self._pace = FRESH.total_seconds() / 2 / AT_ONCE
        self._away = ""

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Mailer":
        """As the settings say. Raises Misconfigured."""
        if settings.smtp_url is None:
            log.warning("email: WARMLINE_SMTP_URL is not set: nobody is emailed about unread messages")
            return cls(database, [], Sender("", ""))
        outlets = [outlet(settings) for _ in range(settings.smtp_connections)]
        return cls(database, outlets, Sender(settings.mail_from or "", settings.public_url or ""))

    async def run(self, stopped: asyncio.Event) -> None:
        """Send what is due until `stopped` is set; what is on its way then is finished."""
        failures = 0
        while not stopped.is_set():
            try:
                if await self.round(stopped):
                    continue
                failures = 0
            except RelayAway:
                failures += 1
            except WarmlineError as error:
                failures += 1
                log.warning("email: %s", error.message)
            except Exception:
                failures += 1
                log.exception("email: a round failed")
            with contextlib.suppress(TimeoutError):
                pause = min(_LONGEST_PAUSE, EVERY_SECONDS * 2.0 ** min(failures, 8))
                async with asyncio.timeout(pause if failures else EVERY_SECONDS):
                    await stopped.wait()
        await self.close()

    async def close(self) -> None:
        """Say goodbye to the relay."""
        for line in self._outlets:
            await line.close()

    async def round(self, stopped: asyncio.Event) -> int:
        """Send all that is due, over all connections; how many were looked at. Raises RelayAway."""
        if not self._outlets:
            async with self._database.transaction() as tx:
                return await mails.none_go(tx, 1000, now())
        ready = Ready()
        lanes = [self._lane(line, ready, stopped) for line in self._outlets]
        count, *ends = await asyncio.gather(self._claim(ready, stopped), *lanes, return_exceptions=True)
        if rest := ready.rest():
            async with self._database.transaction() as tx:
                await mails.release(tx, rest, now())
        for end in (*ends, count):
            if isinstance(end, BaseException):
                raise end
        return cast("int", count)

    async def _claim(self, ready: Ready, stopped: asyncio.Event) -> int:
        """Claim what is due, the next ones while those before leave; how many were looked at."""
        count = 0
        try:
            while not (stopped.is_set() or ready.ended):
                most = self._most
                async with self._database.transaction() as tx:
                    claimed, some = await mails.claim(tx, most, now())
                metrics.MAILS.labels("withdrawn").inc(some - len(claimed))
                if some == 0:
                    break
                count += some
                await ready.add(claimed, most // 2)
        finally:
            ready.end()
        return count

    async def _lane(self, line: Relay | Folder, ready: Ready, stopped: asyncio.Event) -> None:
        """One connection takes one after the other. Raises RelayAway; what it had is back in the line."""
        try:
            while mail := await ready.take():
                if stopped.is_set():
                    ready.back(mail)
                    break
                if now() - mail.checked_at > FRESH and (mail := await self._look_again(mail, ready)) is None:
                    continue
                began = time.monotonic()
                try:
                    await self._send(line, mail)
                except RelayAway as away:
                    ready.back(mail)
                    metrics.MAILS.labels("away").inc()
                    self._tell(str(away))
                    raise
                self._paced(time.monotonic() - began)
        finally:
            ready.end()

    async def _look_again(self, mail: MailDue, ready: Ready) -> MailDue | None:
        """Check it once more, and those behind it along with it; None when it is not to be sent any more.

        Where that fails, it is back in the line like the others: nobody has tried to send it.
        """
        behind = ready.take_out(self._most - 1)
        left = [mail, *behind]
        try:
            async with self._database.transaction() as tx:
                checked = await mails.recheck(tx, [mail, *behind], now())
            left = [each for each in checked if each.mail.id != mail.mail.id]
        finally:
            ready.bring_back(len(behind), left)
        metrics.MAILS.labels("withdrawn").inc(1 + len(behind) - len(checked))
        return next((each for each in checked if each.mail.id == mail.mail.id), None)

    def _paced(self, seconds: float) -> None:
        """So long did one email take: claim as many as leave in half the time that a look at them is fresh."""
        self._pace += (seconds - self._pace) / 16
        few, many = len(self._outlets), AT_ONCE * len(self._outlets)
        self._most = max(few, min(many, int(few * FRESH.total_seconds() / 2 / self._pace)))

    async def _send(self, line: Relay | Folder, due: MailDue) -> None:
        try:
            await line.send(compose(due.mail, self._sender))
        except Invalid:
            await self._notes.note(Outcome(due, "refused", "no_address", "no_address"))
        except Refused as refused:
            await self._notes.note(Outcome(due, "refused", refused.why, "refused"))
        except Again as again:
            async with self._database.transaction() as tx:
                waits = await mails.again(tx, due, again.why, now())
            metrics.MAILS.labels("again" if waits else "dead").inc()
        else:
            self._tell("")
            await self._notes.note(Outcome(due, "sent", "accepted", "sent"))
            metrics.MAIL_LATE_SECONDS.observe((now() - due.due_at).total_seconds())

    def _tell(self, why: str) -> None:
        """Log it when the relay goes, and when it is back; once each."""
        if why and why != self._away:
            log.error("email: the mail relay takes no emails: %s; they wait", why)
        elif not why and self._away:
            log.warning("email: the mail relay takes emails again")
        self._away = why
