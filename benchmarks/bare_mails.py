"""`python -m benchmarks.bare_mails PORT CONNECTIONS`: the reference for unread emails, aiosmtplib in a bare loop.

The same emails, composed one by one by the product's own function, over as many connections. No database: nobody is asked
whether they still want it, and nothing is noted. Says "ready", takes "COUNT" lines, and answers each when they are sent.
"""

import asyncio
import sys
from collections.abc import Iterator

from aiosmtplib import SMTP

from server.ids import MailId, now
from server.notices.mailing import Mail, Sender, compose

SENDER = Sender("notices@bench.invalid", "https://chat.bench.invalid")


async def send(lines: list[SMTP], count: int) -> None:
    """So many emails, over all connections."""
    numbers = iter(range(count))
    await asyncio.gather(*(lane(line, numbers) for line in lines))


async def lane(line: SMTP, numbers: Iterator[int]) -> None:
    """One after the other over one connection."""
    for number in numbers:
        mail = Mail(MailId.new(), f"bare{number}@bench.invalid", "team_member", None, "c" * 32, now())
        await line.sendmail(SENDER.address, [mail.to], compose(mail, SENDER).as_bytes())


async def main() -> None:
    """Connect, and do as told."""
    port, connections = map(int, sys.argv[1:3])
    lines = [SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for line in lines:
        await line.connect()
    print("ready", flush=True)
    while count := await asyncio.to_thread(sys.stdin.readline):
        await send(lines, int(count))
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
