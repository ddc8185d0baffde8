"""Which addresses are somewhere out on the internet: pushes go nowhere else, whatever a name resolves to. Pure."""

from ipaddress import IPv4Address, IPv6Network, ip_address

_UNICAST = IPv6Network("2000::/3")


def public(address: str) -> bool:
    """Whether it is a host on the internet: not of this machine or network, no multicast, and nothing that wraps an address.

    Args:
        address: an IPv4 or IPv6 address, as the system writes it (with or without a zone).
    """
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return found.is_global and not found.is_multicast
    wraps = found.sixtofour is not None or found.teredo is not None
    return found in _UNICAST and found.is_global and not wraps
