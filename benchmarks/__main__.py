"""`python -m benchmarks`: measure, print one table, and write it as Markdown."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import doorbell, fan_out, growth, herd, idle, machine, mails, pushes, rooms, sends, stalled, steady
from benchmarks.clients import Failed
from benchmarks.rounds import TINY, Size
from benchmarks.table import Table, together

BENCHMARKS = {
    "fan-out": fan_out.run,
    "crowd": fan_out.crowd,
    "rooms": rooms.run,
    "stalled": stalled.run,
    "idle": idle.run,
    "herd": herd.run,
    "growth": growth.run,
    "sends": sends.run,
    "steady": steady.run,
    "doorbell": doorbell.run,
    "mails": mails.run,
    "pushes": pushes.run,
}
FAILED = "has failed"


def main() -> int:
    """Run what is asked for; the exit status."""
    asked = _parser().parse_args()
    size = TINY if asked.tiny else Size(rounds=asked.rounds, seconds=asked.seconds)
    asked.write.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = asyncio.run(measure(asked.benchmarks or list(BENCHMARKS), size, asked.write))
    except asyncio.CancelledError:
        return 143
    print(f"{text}\nWritten to {asked.write}")
    return 1 if FAILED in text else 0


async def measure(names: Sequence[str], size: Size, path: Path) -> str:
    """Run the benchmarks one after the other; all their figures in one table, which is in the file too as far as it has come."""
    # SIGTERM ends everything in order, as Ctrl-C does.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
    head = f"Measured {time.strftime('%Y-%m-%d %H:%M %Z')} on {machine.description()}.\n"
    tables: list[Table] = []
    text = head
    for name in names:
        began, before = time.monotonic(), machine.load_average()
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            table = await BENCHMARKS[name](size)
        except Failed as failed:
            # The others go on; the whole has failed.
            print(failed, file=sys.stderr, flush=True)
            table = Table(f"`{name}` {FAILED}", remarks=[str(failed).splitlines()[0]])
        took = time.monotonic() - began
        table.remarks.append(
            f"`{name}`: {took:.0f} s. Load average before and after: {before}; {machine.load_average()} "
            "(this run's own included)."
        )
        tables.append(table)
        print(f"{name}: {took:.0f} s", file=sys.stderr, flush=True)
        text = f"{head}\n{together(tables)}"
        path.write_text(text)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", choices=[[], *BENCHMARKS], help="which; all, if none is named")
    parser.add_argument("--rounds", type=int, default=Size.rounds, help="how often each contestant has its turn")
    parser.add_argument("--seconds", type=float, default=Size.seconds, help="how long a turn lasts")
    parser.add_argument(
        "--tiny", action="store_true", help="very small and short: shows that all works, measures nothing"
    )
    parser.add_argument("--write", type=Path, default=Path(".data/benchmarks.md"), help="where the table goes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
