"""What an operator can ask of a running process, as Prometheus metrics: what happened, how long it took, what it means.

Every metric says in its help text what it counts and what to look at when it moves. No label names a person, a channel or an
organisation, and every label takes its values from a list in the code: whoever adds one adds it here, and a test looks.
Numbers that a part keeps for itself anyway are read off it when somebody asks: see server/app/readings.py.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from server.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthorized,
    Unavailable,
)
from server.tallies import Tallies

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""All metrics of this process."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

VERSION: Final = "0.1.0"
_QUICK: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

BUILD = Gauge("warmline_build_info", "Always 1; the label says which version runs.", ["version"], registry=REGISTRY)
BUILD.labels(VERSION).set(1)

# Sends

SENDS = Counter(
    "warmline_sends",
    "Messages that somebody asked to send, by outcome: ok, seen (a retry of one that was written), failed (nobody knows; the "
    "client tries again) or why it was refused. Any failed: look at the database.",
    ["outcome"],
    registry=REGISTRY,
)
SEND_SECONDS = Tallies(
    "warmline_send_seconds",
    "From taking in a send to its answer, commit included; refused ones are not in it. When it grows: is "
    "warmline_flush_seconds slow (database, disk), or is only the queue long (warmline_sends_waiting)?",
    _QUICK,
    REGISTRY,
).labels("")
SENDS_HELD = Counter(
    "warmline_sends_held",
    "Times that a send found its channel held by somebody else and was put back. Much of it: a long transaction on a channel.",
    registry=REGISTRY,
)
BATCH_SENDS = Histogram(
    "warmline_batch_sends",
    "Sends written in one batch. Always at the largest size (64, or 128 of one channel): the database takes as much as it can.",
    buckets=(1, 2, 4, 8, 16, 32, 48, 64, 128),
    registry=REGISTRY,
)
FLUSH_SECONDS = Histogram(
    "warmline_flush_seconds",
    "One batch's round trip to the database, commit included. When it grows: the database's disk, or its load.",
    buckets=_QUICK,
    registry=REGISTRY,
)

# Encryption

UNREADABLE = Counter(
    "warmline_unreadable",
    "Messages that did not open where they stand, and data keys that opened under no master key, each time somebody needed one. "
    "Any: the database was changed, or a master key is missing; run warmline doctor.",
    ["kind"],
    registry=REGISTRY,
)

# Operations

OPERATIONS = Counter(
    "warmline_operations",
    "Operations by name and outcome, over HTTP and WebSocket. unavailable: a part is away; failed: a fault of ours, with "
    "its stack in the log under the request id that the caller was told.",
    ["operation", "outcome"],
    registry=REGISTRY,
)
OPERATION_SECONDS = Tallies(
    "warmline_operation_seconds",
    "How long operations take, refused ones included.",
    (0.005, 0.02, 0.1, 0.5, 2, 10),
    REGISTRY,
    "operation",
)
HTTP = Counter(
    "warmline_http_responses",
    "HTTP answers by method and status. 5xx: look at the log's lines of that status.",
    ["method", "status"],
    registry=REGISTRY,
)

# Fan-out and connections

FANOUT_SECONDS = Tallies(
    "warmline_fanout_seconds",
    "From the time that an event carries (the database's clock, just before its commit) until this gateway has handed it to "
    "its sockets. About a second: the doorbell was lost and the tops check found it; look at Redis. All alike, and "
    "large: the clocks of database and gateway differ.",
    _QUICK,
    REGISTRY,
).labels("")
CONNECTS = Counter(
    "warmline_connects",
    "Connect commands by outcome: ok, unauthorized (a token that does not hold), unavailable (the database is away), failed.",
    ["outcome"],
    registry=REGISTRY,
)
CLOSED = Counter(
    "warmline_connections_closed",
    "Connections that ended, by the code that we closed with; client: the other side went, or its network. Many 3008: slow "
    "readers; 3012: dead lines; 3500: tokens that do not hold; 3004: a fault of ours, see the log.",
    ["code"],
    registry=REGISTRY,
)
HANDSHAKES_REFUSED = Counter(
    "warmline_handshakes_refused",
    "WebSocket handshakes refused, by HTTP status. 403: pages of an origin that WARMLINE_ALLOWED_ORIGINS does not name; "
    "400: a protocol that is not spoken here; 503: too much at once, or going down.",
    ["status"],
    registry=REGISTRY,
)

LIMITED = Counter(
    "warmline_limited",
    "What the limits held up or refused, by kind: sends and operations of a person (…_delayed: let through a little later), "
    "connects and connections of a person, commands of a connection (flooding: it was closed), admissions (too many connecting "
    "at once), sockets and requests. Somebody's loop, an attack, or a limit too low for this clinic: see the settings.",
    ["kind"],
    registry=REGISTRY,
)

# This process

STALLS = Counter(
    "warmline_loop_stalls",
    "Times that the event loop stood still for longer than a quarter of a second; nobody was answered meanwhile. When it "
    "moves: the machine's CPU is short, the process was stopped, or code blocks; the log has a line with the duration.",
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "warmline_loop_lag_seconds",
    "How late the event loop was, looked at ten times a second.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
LONGEST_LAG = Gauge(
    "warmline_loop_lag_longest_seconds",
    "The latest that the event loop was in the last minute or so.",
    registry=REGISTRY,
)

# Workers

SWEEPS = Counter(
    "warmline_sweeps",
    "Sweeps of this worker by name and outcome: ran, elsewhere (another worker is at it) or failed (see the log).",
    ["sweep", "outcome"],
    registry=REGISTRY,
)
SWEPT = Gauge(
    "warmline_sweep_last_success_timestamp_seconds",
    "When a sweep last ended well in this worker. Take the newest of all workers; one older than ten minutes does not happen.",
    ["sweep"],
    registry=REGISTRY,
)
JOBS = Counter(
    "warmline_jobs",
    "Starts of jobs, by name and by what came of them: done, again (it failed and comes again), dead (given up).",
    ["job", "outcome"],
    registry=REGISTRY,
)
PUSHES = Counter(
    "warmline_pushes",
    "Pushes at devices, by kind (message; read: the channel was read elsewhere) and outcome: sent, gone (the browser's "
    "registration is over, and forgotten), refused for good (many: was the VAPID key changed?), later (the provider is "
    "away, asks to wait or is left alone; tried again for a day).",
    ["kind", "outcome"],
    registry=REGISTRY,
)
PUSH_PROVIDERS_RESTING = Gauge(
    "warmline_push_providers_resting",
    "Hosts of push providers that this worker leaves alone, because they did not answer. Above 0 for long: can this machine "
    "reach them at all?",
    registry=REGISTRY,
)
INTEGRITY_FAULTS = Counter(
    "warmline_integrity_faults",
    "Broken promises that the integrity sweep found, by kind; the log has the ids. Any at all: call those who run the "
    "database, and look before you write.",
    ["kind"],
    registry=REGISTRY,
)

# Unread emails

MAILS = Counter(
    "warmline_mails",
    "Unread emails by what came of them: sent, again (the relay put it off), refused (it never takes that one), withdrawn (read "
    "or the like just before), dead (put off for a day), away (the relay could not be used). away moves: run warmline doctor.",
    ["outcome"],
    registry=REGISTRY,
)
MAIL_LATE_SECONDS = Histogram(
    "warmline_mail_late_seconds",
    "How long after its moment an unread email was handed to the relay. Half a minute and more: too few workers, a slow relay "
    "(more WARMLINE_SMTP_CONNECTIONS help), or one that was away.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
    registry=REGISTRY,
)

# Notices: planned from the log, and waiting in the ledger

NOTICES_PLANNED = Counter(
    "warmline_notices_planned",
    "Messages whose notices this worker has planned. All workers together: every message once. None while messages are sent: "
    "no worker runs, or the database is away.",
    registry=REGISTRY,
)
PLANNING_SECONDS = Histogram(
    "warmline_notice_planning_seconds",
    "From the time that a message carries until its notices were planned; the oldest of each round. Usually under 0.3 s. Longer: "
    "the workers have too much to do, or were away.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 60, 600, 3600),
    registry=REGISTRY,
)
NOTICES_DUE = Gauge(
    "warmline_notices_due",
    "Notices by medium that should have gone out by now, as a worker last saw it: take the newest of all workers. Staying high: "
    "providers or the relay are slow or away, or no worker sends.",
    ["medium"],
    registry=REGISTRY,
)
NOTICES_LATE = Gauge(
    "warmline_notices_oldest_due_seconds",
    "For how long the oldest of them has been due. More than a minute: look for what sends (push, email) in the log.",
    ["medium"],
    registry=REGISTRY,
)
NOTICES_DEAD = Gauge(
    "warmline_notices_dead",
    "Notices by medium that were given up and wait for an operator: see warmline notices dead, and requeue.",
    ["medium"],
    registry=REGISTRY,
)

# What an alarm counts (docs/watching.md) is there from the start, at 0: Prometheus sees no increase in what first shows as 1.
SENDS.labels("failed")
CONNECTS.labels("unauthorized")
CLOSED.labels("3008")
PUSHES.labels("message", "refused")
MAILS.labels("away")


def begin_operations(names: Iterable[str]) -> None:
    """Show these operations' faults from the start."""
    for name in names:
        OPERATIONS.labels(name, "failed")


def begin_work(jobs: Iterable[str], promises: Iterable[str]) -> None:
    """Show from the start these jobs being given up, and these promises being broken."""
    for job in jobs:
        JOBS.labels(job, "dead")
    for promise in promises:
        INTEGRITY_FAULTS.labels(promise)


_OUTCOMES: Final = (
    (Unauthorized, "unauthorized"),
    (Forbidden, "forbidden"),
    (NotFound, "not_found"),
    (Conflict, "conflict"),
    (Invalid, "invalid"),
    (TooMany, "too_many"),
    (Unavailable, "unavailable"),
)


def outcome(error: BaseException | None) -> str:
    """An operation's end in one word: ok, why it was refused, or failed."""
    if error is None:
        return "ok"
    return next((word for kind, word in _OUTCOMES if isinstance(error, kind)), "failed")


def page() -> bytes:
    """Everything, in the text format that Prometheus reads."""
    return generate_latest(REGISTRY)
