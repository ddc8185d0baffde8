"""What the parts of a gateway count for themselves, as metrics, read off them when somebody asks: no cost before that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from server.app import Application

_COUNTED = {
    "deliveries": ("warmline_deliveries", "Live publications handed to connections, voids included."),
    "voids": ("warmline_voids", "Events for which some listeners got a void: they may not see what stands there."),
    "cuts": ("warmline_subscriptions_cut", "Subscriptions ended because their membership did."),
    "resets": (
        "warmline_subscriptions_reset",
        "Subscriptions told to begin anew: a new epoch, or too far behind. Many at once: was the database restored or promoted?",
    ),
    "duplicates": (
        "warmline_rows_late",
        "Rows that came through Redis again, or after their turn, and were dropped. A few are normal.",
    ),
    "gaps": (
        "warmline_gaps",
        "Rows that came with others missing before them. More than a few: Redis loses or reorders.",
    ),
    "gaps_repaired": (
        "warmline_gaps_repaired",
        "Rows that were missing and read back from the log. Follows warmline_gaps.",
    ),
    "tops_behind": (
        "warmline_tops_unplanned",
        "Channels that only the check of every second found to be behind: nothing had rung for them. More than a few: the "
        "doorbell does not work; look at Redis and at what it drops.",
    ),
    "malformed": (
        "warmline_rows_malformed",
        "Messages on Redis that carried no row of this log. Any: does somebody else write there, or another version?",
    ),
    "unreadable": (
        "warmline_rows_unreadable",
        "Rows that could not be decrypted or encoded, so that a void went out. Any: somebody changed the database, or a key is "
        "missing; the log names the channel.",
    ),
    "reads": ("warmline_log_reads", "Reads of the channel log. They grow with reconnects and gaps."),
    "hints": ("warmline_hints", "Facts for badges handed to connections."),
    "aborted_readers": (
        "warmline_readers_aborted",
        "Connections cut because a megabyte lay unread in front of them. They come back and recover.",
    ),
    "commands": ("warmline_commands", "Commands that came over WebSockets."),
    "bad_frames": (
        "warmline_bad_frames",
        "WebSocket messages that were no commands. Many: an attack, or a broken client.",
    ),
}


class Readings(Collector):
    """The numbers of one Application."""

    def __init__(self, application: "Application") -> None:
        self._of = application

    def collect(self) -> Iterator[Metric]:
        """All of them, now."""
        yield from self._gateway()
        yield from self._doorbell()
        yield from self._database()

    def _gateway(self) -> Iterator[Metric]:
        counters, gateway = self._of.gateway.counters, self._of.gateway
        for field, (name, explained) in _COUNTED.items():
            yield CounterMetricFamily(name, explained, getattr(counters, field))
        recoveries = CounterMetricFamily(
            "warmline_recoveries",
            "Subscriptions that came back with a position: recovered (nothing is missing) or lost (told to load the page anew). "
            "Many lost: clients were away for longer than 5,000 events, or the log has a new epoch.",
            labels=["outcome"],
        )
        recoveries.add_metric(["recovered"], counters.recoveries)
        recoveries.add_metric(["lost"], counters.unrecovered)
        yield recoveries
        yield _gauge("warmline_connections", "WebSocket connections open now.", counters.connections)
        yield _gauge("warmline_channels", "Channels that somebody here has an interest in.", gateway.channels)
        live = GaugeMetricFamily(
            "warmline_subscriptions",
            "Subscriptions that stand now, by codec and audience.",
            labels=["codec", "audience"],
        )
        for kind, count in sorted(counters.by_kind.items()):
            live.add_metric(kind, count)
        yield live
        yield _gauge(
            "warmline_operations_under_way", "Operations called over WebSockets and not done.", gateway.under_way
        )
        yield _gauge(
            "warmline_sends_waiting",
            "Sends that wait to be written. Steadily more than a few batches (64 each): the database does not keep up.",
            self._of.batcher.waiting,
        )

    def _doorbell(self) -> Iterator[Metric]:
        bus = self._of.bus
        yield _gauge(
            "warmline_redis_connected",
            "1 while this process hears Redis. 0: messages arrive a second late, and nothing is lost; see to Redis.",
            bus.connected,
        )
        yield _gauge(
            "warmline_redis_queue", "Messages waiting to leave for Redis; at 10,000 the oldest go.", bus.queued
        )
        told = CounterMetricFamily(
            "warmline_redis_messages",
            "Messages over Redis: published (given to the queue), dropped (the queue was full) or received.",
            labels=["outcome"],
        )
        for outcome in ("published", "dropped", "received"):
            told.add_metric([outcome], getattr(bus, outcome))
        yield told

    def _database(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("warmline_database_connections_in_use", "Busy connections, by pool.", labels=["pool"])
        size = GaugeMetricFamily("warmline_database_connections_limit", "Most connections, by pool.", labels=["pool"])
        for pool, (busy, most) in self._of.database.pools().items():
            used.add_metric([pool], busy)
            size.add_metric([pool], most)
        yield used
        yield size
        yield _gauge(
            "warmline_database_waiting",
            "Operations that wait for a connection. Steadily above 0: raise WARMLINE_POOL_SIZE, or find what is slow.",
            self._of.database.waiting,
        )


def _gauge(name: str, explained: str, value: float) -> Metric:
    return GaugeMetricFamily(name, explained, value)
