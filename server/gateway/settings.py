"""What can be set about the gateway, and what it counts: plain values, with the defaults of protocol.md and design.md."""

from dataclasses import dataclass, field

from server.limits import Rate

KIB = 1024
MIB = 1024 * KIB

SEND_BUFFER = 64 * KIB
"""SO_SNDBUF for the listening socket (connections inherit it): without it the kernel hides a stalled reader for megabytes."""

_COMMANDS, _REFUSALS, _CONNECTS, _JOINS = Rate(100, 1_500), Rate(1, 200), Rate(1, 60), Rate(500, 500)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Times are in seconds, sizes in bytes. The defaults are those of the protocol; tests shorten them."""

    origins: frozenset[str] = frozenset()
    """Origins whose pages may connect, matched exactly. A handshake without Origin is no browser's, and may."""
    version: str = "warmline"

    anonymous: bool = False
    """Whether the Policy is asked about those who bring no token; otherwise they are closed with 3501."""

    ping_interval: float = 25
    """protocol.md §3: the first ping comes at a random point of [interval/2, interval]."""
    pong_timeout: float = 10
    connect_timeout: float = 10
    """No connect command within this time: close 3502."""
    refresh_grace: float = 25
    """How long after its token's end a connection may live without a refresh: then close 3005."""

    commands: Rate = _COMMANDS
    """Commands of one connection. The burst has room for a page that subscribes to all it may at once."""
    commands_refused: Rate = _REFUSALS
    """Commands refused with error 111; beyond it close 3013."""
    connections_per_person: int = 30
    connects: Rate = _CONNECTS
    """Connects of one person. What is thrown out for flooding and comes back at once is stopped here."""
    connects_at_once: int = 64
    """Connects in their expensive phase: they are looked up together."""
    connects_waiting: int = 10_000
    """Handshakes in line for that; beyond it 503."""
    handshake_patience: float = 9
    """How long a handshake stands in line; then 503. Who is refused waits up to 20 s before the next attempt."""
    connect_patience: float = 3
    """How long a connect waits, that was let in and finds others before it; then error 111. SDKs give up after 5 s."""
    unauthenticated: int = 1_000
    """Connections of whom nobody knows yet who they are; beyond it 503 before the upgrade."""
    unauthenticated_per_address: int = 200

    max_subscriptions: int = 1_000
    max_command: int = 256 * KIB
    """One command: beyond it error 107, and the connection lives."""
    max_frame: int = 1 * MIB
    """One message: beyond it close 3501."""

    rpc_in_flight: int = 32
    rpc_waiting: int = 1_000
    rpc_waiting_bytes: int = 1 * MIB
    """Commands that wait for their turn; beyond it error 111."""

    outbox_limit: int = 1 * MIB
    """What may lie unread in front of a slow reader before it is cut off."""
    slow_grace: float = 2
    """How long a slow reader has to reach the close frame behind all that; then its connection is aborted."""
    close_timeout: float = 5
    """How long a peer has to end a connection that we closed."""

    reply_publications: int = 500
    reply_bytes: int = 240 * KIB
    """One portion of a recovery: leaves room for the rest of a reply of less than 256 KiB."""
    recover_events: int = 5_000
    recover_bytes: int = 4 * MIB
    """Further behind than this: `recovered: false` (protocol.md §5)."""
    read_rows: int = 5_000
    """Rows that one call of the log may ask for, over all its channels."""
    ring_rows: int = 512
    """Live rows kept for those who are just catching up, and rows held while a gap is read; more are read again."""

    joins: Rate = _JOINS
    """Joins and leaves that this gateway tells the others of; more are dropped, so that they never crowd out events."""
    presence_delay: float = 0.05
    """Changes of who is there are gathered this long."""
    presence_interval: float = 1
    """How often a gateway says that it lives."""
    presence_again: float = 600
    """How often it says everything anew."""

    tops_interval: float = 1
    hint_delay: float = 0.1
    """Hints that become due are gathered this long."""
    hint_again: float = 30
    """Every hint is sent once more after this time."""
    hint_batch: int = 2_000


@dataclass(slots=True)
class Counters:
    """Plain numbers about what happened, for metrics and tests. The first two go up and down, the others only up."""

    connections: int = 0
    by_kind: dict[tuple[str, str], int] = field(default_factory=dict)
    """The subscriptions, by codec and audience."""
    deliveries: int = 0
    """Live publications handed to connections, voids included."""
    voids: int = 0
    """Events for which at least one group of listeners got a void."""
    cuts: int = 0
    duplicates: int = 0
    """Rows that came again, or late, and were dropped."""
    malformed: int = 0
    """Bus messages that carried no row."""
    unreadable: int = 0
    """Rows that could not be made into a publication: voids went out in their place."""
    gaps: int = 0
    """Rows that came with others missing before them."""
    gaps_repaired: int = 0
    """Rows that the log gave back."""
    tops_behind: int = 0
    """Channels that the tops check found behind."""
    reads: int = 0
    """Calls of Log.since."""
    recoveries: int = 0
    unrecovered: int = 0
    resets: int = 0
    """Subscriptions ended with 2500: a new epoch, or too far behind."""
    hints: int = 0
    aborted_readers: int = 0
    signed_out: int = 0
    """Connections closed because their sign-in was ended."""
    commands: int = 0
    bad_frames: int = 0

    @property
    def subscriptions(self) -> int:
        """All of them, whatever their codec and audience."""
        return sum(self.by_kind.values())
