"""Plays kube-proxy where there is none: what connects to one address reaches one of the others.

    forward.py ADDRESS:PORT TARGET:PORT...

The targets are tried in the order they are given; one that refuses is passed over.
"""

import asyncio
import contextlib
import sys


def split(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


listen, targets = split(sys.argv[1]), [split(text) for text in sys.argv[2:]]


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


async def connected(reader, writer):
    for host, port in targets:
        try:
            there = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
        except (OSError, asyncio.TimeoutError):
            continue
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        return
    writer.close()


async def main():
    server = await asyncio.start_server(connected, *listen)
    await server.serve_forever()


asyncio.run(main())
