"""Reads server-sent events (HTML standard, section 9.2), as much of them as the receiver uses."""

from collections.abc import AsyncIterator


async def messages(chunks: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """Name and data of each event. Raises ValueError for one that has no end within so many bytes."""
    buffer = bytearray()
    async for chunk in chunks:
        looked_at = max(
            0, len(buffer) - 1
        )  # A large document comes in many pieces: each byte is looked at once.
        buffer += chunk
        while (end := buffer.find(b"\n\n", looked_at)) >= 0:
            block, looked_at = bytes(buffer[:end]), 0
            del buffer[: end + 2]
            fields = dict(
                line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and line[:1] != b":"
            )
            if b"data" in fields:
                yield fields.get(b"event", b"message"), fields[b"data"]
        if len(buffer) > most_bytes:
            raise ValueError(f"it sent more than {most_bytes} bytes without an end")
