"""WebSocket frames (RFC 6455 §5.2): made as a server sends them (final, unmasked, uncompressed), and cut out of what comes in."""

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A


def frame(kind: int, payload: bytes) -> bytes:
    """One complete frame."""
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    if size < 65536:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + size.to_bytes(8, "big") + payload


def bounds(data: bytes, at: int) -> tuple[int, int]:
    """Of the frame that begins there: where its payload begins, and where it ends, be it here already or not.

    (0, 0) while its header is not complete.
    """
    length = len(data) - at
    if length < 2:
        return 0, 0
    second = data[at + 1]
    size, start = second & 127, at + (6 if second & 128 else 2)
    if size > 125:
        bytes_of_size = 2 if size == 126 else 8
        if length < 2 + bytes_of_size:
            return 0, 0
        size = int.from_bytes(data[at + 2 : at + 2 + bytes_of_size], "big")
        start += bytes_of_size
    return start, start + size


def is_message(data: bytes, at: int) -> bool:
    """Whether the frame that begins there is a whole message of a client: final, masked, text or binary, no extension."""
    return data[at] in (TEXT, BINARY) and data[at + 1] > 127


def is_ping(data: bytes, at: int) -> bool:
    """Whether the frame that begins there is a ping as a client sends it: masked, and with no more than a ping may carry."""
    return data[at] == PING and 127 < data[at + 1] < 254


def is_close(data: bytes, at: int) -> bool:
    """Whether it is the end, or the answer to ours."""
    return data[at] == CLOSE
