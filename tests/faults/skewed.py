"""`python -m tests.faults.skewed`: a gateway whose clock jumps by an hour, there and back, every three seconds (R30).

FAULT_NUMBER decides whether it is ahead or behind; the product has no switch for it.
"""

import os
import sys
import time
from datetime import UTC, datetime

from server import ids

_real = time.time
HOURS = 1 if int(os.environ["FAULT_NUMBER"]) % 2 else -1


def wrong() -> float:
    """What this gateway believes."""
    return _real() + (3600 * HOURS if int(time.monotonic() / 3) % 2 else 0)


if __name__ == "__main__":
    time.time = wrong
    ids.now = lambda: datetime.fromtimestamp(wrong(), UTC)

    from server.cli import main  # only now: whoever takes `now` by name takes the wrong one

    sys.exit(main(["serve"]))
