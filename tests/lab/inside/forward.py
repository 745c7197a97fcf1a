"""Carries connections from a listening socket made outside to an address inside this network namespace.

Arguments: the number of the inherited listening socket, address, port. A socket stays in the namespace it was made
in, so the same program listens outside and connects inside.
"""

import asyncio
import contextlib
import socket
import sys

CHUNK = 65536


async def serve(listener: socket.socket, address: str, port: int) -> None:
    """Carry connections for ever."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(address, port)
        except OSError as error:
            print(f"{address}:{port} does not answer: {error}", flush=True)
            writer.transport.abort()
            return
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()

    async with await asyncio.start_server(carry, sock=listener) as server:
        print("listening", flush=True)
        await server.serve_forever()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end, and hand the end on; a broken direction breaks the other too."""
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
