"""WebSocket frames as a server sends them (RFC 6455 §5.2): final, unmasked, uncompressed."""

TEXT = 0x81
BINARY = 0x82


def frame(kind: int, payload: bytes) -> bytes:
    """One complete frame."""
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    if size < 65536:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + size.to_bytes(8, "big") + payload
