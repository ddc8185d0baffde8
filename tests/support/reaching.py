"""Reaching people who are away, in the words of domain.md §4: a clock that tests move, and a worker's round at its moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from server.db import Transaction
from server.ids import DeviceId, now
from server.notices import episodes, ledger, planning
from tests.support.cast import Clinic

_EMAILS = """
select id, person_id from notices
 where status = 'due' and medium = 'email' and due_at <= $1 and mail_id is null order by id for update skip locked"""


@dataclass
class Reaching:
    """What reaches the people of a clinic. `pushes` and `emails` are what a worker has sent so far, in order."""

    clinic: Clinic
    at: datetime = field(default_factory=now)
    reading: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """(channel, person): until when they count as reading it."""
    pushes: list[tuple[str, str]] = field(default_factory=list)
    """(person, message)."""
    emails: list[tuple[str, set[str]]] = field(default_factory=list)
    """(person, the episodes it is about: their first messages)."""

    def later(self, **time: float) -> None:
        """Let time go by: seconds=, minutes=, hours=."""
        self.at += timedelta(**time)

    def reads(self, person: str, channel: str, seconds: float = 30) -> None:
        """The channel is open in front of them from now on, for so long."""
        self.reading[channel, person] = self.at + timedelta(seconds=seconds)

    async def device(self, *people: str) -> None:
        """A browser of each takes pushes."""
        for person in people:
            made = DeviceId.new()
            await self.clinic.sql(
                "insert into devices (organization_id, id, person_id, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)",
                *(self.clinic.organization_id, made, person, f"https://push.example/{made}", bytes(65), bytes(16)),
            )

    async def prefer(self, person: str, **settings: Any) -> None:
        """Set columns of what they want to be told by: push=, unread_email=, quiet_from=, quiet_until=, time_zone=."""
        names = list(settings)
        await self.clinic.sql(
            f"""insert into notice_preferences (organization_id, person_id, {", ".join(names)})
                values ($1, $2, {", ".join(f"${n + 3}" for n in range(len(names)))})
                on conflict (person_id, organization_id) do update
                set {", ".join(f"{name} = excluded.{name}" for name in names)}""",
            *(self.clinic.organization_id, person, *settings.values()),
        )

    async def mute(self, channel: str, person: str, muted: bool = True) -> None:
        """Mute their membership."""
        await self.clinic.sql(
            "update memberships set muted = $3 where channel_id = $1 and person_id = $2", channel, person, muted
        )

    async def read(self, person: str, channel: str, offset: int) -> None:
        """They read up to here."""
        await self.clinic.call(person, "channel.read", channel_id=channel, offset=offset)

    async def send(self, person: str, channel: str) -> Any:
        """They write something, at the moment of the clock."""
        sent = await self.clinic.send(person, channel, "Text")
        await self.clinic.sql("update messages set created_at = $2 where id = $1", sent["message_id"], self.at)
        return sent

    async def plan(self) -> None:
        """Plan whatever is not planned yet."""
        while True:
            async with self.clinic.database.transaction() as tx:
                if not (await planning.plan(tx, self.at, everywhere=True)).channels:
                    break
        async with self.clinic.database.transaction() as tx:
            await episodes.go_on(tx, self.at)

    async def round(self) -> None:
        """Whatever workers do at this moment: plan, and send what is due."""
        await self.plan()
        async with self.clinic.database.transaction() as tx:
            await self._push(tx)
        async with self.clinic.database.transaction() as tx:
            await self._mail(tx)

    async def _push(self, tx: Transaction) -> None:
        claimed = {due.notice_id: due for due in await ledger.claim_pushes(tx, 1000, self.at)}
        organization_id = str(self.clinic.organization_id)
        lapses = {
            (organization_id, channel, person): until
            for (channel, person), until in self.reading.items()
            if until > self.at
        }
        decided = await ledger.recheck_pushes(tx, list(claimed.values()), lapses, self.at)
        sent = [id for id, decision in decided.items() if decision.sends]
        await ledger.settle(tx, sent, "sent", "sent", self.at)
        self.pushes += sorted((claimed[id].person_id, claimed[id].message_id) for id in sent)

    async def _mail(self, tx: Transaction) -> None:
        whose = {row["id"]: row["person_id"] for row in await tx.rows(_EMAILS, self.at)}
        decided = await ledger.recheck_emails(tx, list(whose), self.at)
        sent = [id for id, decision in decided.items() if decision.sends]
        rows = await tx.rows("select id, person_id, message_id from notices where id = any ($1)", sent)
        await ledger.settle(tx, sent, "sent", "sent", self.at)
        for person in sorted({row["person_id"] for row in rows}):
            self.emails.append((person, {row["message_id"] for row in rows if row["person_id"] == person}))

    async def row(self, person: str, message: str, medium: str, cause: str = "new") -> dict[str, Any] | None:
        """The ledger's row under this message's own key."""
        found = await self.clinic.sql(
            "select * from notices where (person_id, message_id, medium, cause) = ($1, $2, $3, $4)",
            *(person, message, medium, cause),
        )
        assert len(found) <= 1, "a double"
        return dict(found[0]) if found else None

    async def decided(self, person: str, message: str, medium: str, cause: str = "new") -> tuple[str, str] | None:
        """Status and reason of that row."""
        row = await self.row(person, message, medium, cause)
        return (row["status"], row["why"]) if row else None

    async def expect_push(self, person: str, *messages: str) -> None:
        """Now, and never before, they get a push about each of these messages and about nothing else."""
        await self._expect(self.pushes, person, messages)

    async def expect_no_push(self, person: str) -> None:
        """Nothing is pushed to them now."""
        await self._expect(self.pushes, person, ())

    async def expect_email(self, person: str, *first: str) -> None:
        """Now they get one email, about the episodes that begin with these messages."""
        before = len(self.emails)
        await self.round()
        assert [episodes for who, episodes in self.emails[before:] if who == person] == [set(first)]

    async def expect_no_email(self, person: str) -> None:
        """No email goes to them now."""
        before = len(self.emails)
        await self.round()
        assert person not in {who for who, _ in self.emails[before:]}

    async def _expect(self, sent: list[tuple[str, str]], person: str, messages: Iterable[str]) -> None:
        before = len(sent)
        await self.round()
        assert sorted(message for who, message in sent[before:] if who == person) == sorted(messages)
        assert len(set(sent)) == len(sent), "sent twice"
