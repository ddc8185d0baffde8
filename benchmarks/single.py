"""The reference for sends: asyncpg alone, one statement per message, nothing checked. A program of its own.

`python -m benchmarks.single URL CHANNELS SENDERS POOL BODY`: makes its tables, prints "ready", then speaks as
clients.py says. The senders are coroutines of this process, closed loop.
"""

import asyncio
import json
import sys
import time

import asyncpg
import uvloop

TABLES = """
create table heads (id int primary key, top bigint not null default 0);
create table lines (
  channel int not null references heads, seq bigint not null, author int not null, client_id text not null,
  body text not null, created_at timestamptz not null default clock_timestamp(), primary key (channel, seq))"""
SEND = """with head as (update heads set top = top + 1 where id = $1 returning top)
insert into lines (channel, seq, author, client_id, body) select $1, top, $2, $3, $4 from head returning seq, created_at"""


async def sender(pool: asyncpg.Pool, number: int, senders: int, channels: int, body: str, until: float) -> list[float]:
    """Send until it is time; how long each send took."""
    times, at = [], number
    while (began := time.monotonic()) < until:
        await pool.fetchrow(SEND, at % channels, number, f"{number}-{at}", body)
        at += senders
        times.append(time.monotonic() - began)
    return times


async def main(url: str, channels: int, senders: int, pool_size: int, length: int) -> None:
    """Run rounds until standard input ends."""
    async with asyncpg.create_pool(url, min_size=pool_size, max_size=pool_size) as pool:
        await pool.execute(TABLES)
        await pool.execute("insert into heads select generate_series(0, $1::int - 1)", channels)
        print("ready", flush=True)
        body = "x" * length
        while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            began, used = time.monotonic(), time.process_time()
            until = began + float(line.split()[1])
            found = await asyncio.gather(*(sender(pool, n, senders, channels, body, until) for n in range(senders)))
            seconds = time.monotonic() - began
            times = sorted(each for some in found for each in some)
            told = {"seconds": seconds, "done": len(times), "deliveries": 0, "bytes": 0}
            told |= {
                "p50": times[len(times) // 2],
                "p99": times[len(times) * 99 // 100],
                "worst": times[-1],
                "between": 0,
            }
            print(json.dumps(told | {"busiest": (time.process_time() - used) / seconds}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], *map(int, sys.argv[2:])))
