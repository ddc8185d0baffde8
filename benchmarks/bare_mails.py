"""`python -m benchmarks.bare_mails PORT CONNECTIONS HOW`: the reference for unread emails, aiosmtplib in a bare loop.

The same emails over as many connections, each composed as HOW says: `library`, by the standard library, as anybody would; or
`form`, from a form of which most is composed already, as the product does. No database: nobody is asked whether they still want
it, and nothing is noted. Says "ready", takes "COUNT" lines, and answers each when they are sent.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator

import uvloop
from aiosmtplib import SMTP

from server.ids import MailId, now
from server.notices.mailing import Mail, Sender, build, compose

SENDER = Sender("notices@bench.invalid", "https://chat.bench.invalid")
HOW: dict[str, Callable[[Mail], bytes]] = {
    "library": lambda mail: build(mail, SENDER).as_bytes(),
    "form": lambda mail: compose(mail, SENDER).content,
}
"""To the byte the same."""


async def send(lines: list[SMTP], count: int, composed: Callable[[Mail], bytes]) -> None:
    """So many emails, over all connections."""
    numbers = iter(range(count))
    await asyncio.gather(*(lane(line, numbers, composed) for line in lines))


async def lane(line: SMTP, numbers: Iterator[int], composed: Callable[[Mail], bytes]) -> None:
    """One after the other over one connection."""
    for number in numbers:
        mail = Mail(MailId.new(), f"bare{number}@bench.invalid", "team_member", None, "c" * 32, now())
        await line.sendmail(SENDER.address, [mail.to], composed(mail))


async def main() -> None:
    """Connect, and do as told."""
    port, connections, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    lines = [SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for line in lines:
        await line.connect()
    print("ready", flush=True)
    while count := await asyncio.to_thread(sys.stdin.readline):
        await send(lines, int(count), HOW[how])
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(main())  # as the worker does
