"""The gateway's own settings, as the process's say."""

from server.config import Settings
from server.gateway.settings import KIB, GatewaySettings
from server.limits import Rate

_FRAME = 4
"""A WebSocket message may be this many times as large as a command: several commands travel in one."""


def gateway_settings(settings: Settings) -> GatewaySettings:
    """What operators can set, and for the rest the protocol's defaults."""
    return GatewaySettings(
        origins=settings.origins,
        connect_timeout=settings.connect_seconds,
        # The burst has room for a page that subscribes to all it may at once, and does something besides.
        commands=Rate(settings.commands_per_second, settings.subscriptions_per_connection + 500),
        connections_per_person=settings.connections_per_person,
        connects=Rate(settings.connects_per_second, 2 * settings.connections_per_person),
        connects_at_once=settings.connects_at_once,
        connects_waiting=settings.connects_waiting,
        unauthenticated=settings.unauthenticated,
        unauthenticated_per_address=settings.unauthenticated_per_address,
        max_subscriptions=settings.subscriptions_per_connection,
        max_command=settings.max_request_kib * KIB,
        max_frame=_FRAME * settings.max_request_kib * KIB,
    )
