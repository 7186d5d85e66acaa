"""One loopback port with an aiohttp application behind it, which can stop taking connections and take them again."""

import asyncio
import socket
import struct

from aiohttp import web

LINGER_NOT = struct.pack("ii", 1, 0)  # a close then sends RST instead of FIN


def _reserve(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen: the port stays ours, and who connects is refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Cut a connection so that the other side sees "connection reset by peer"."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()


class Listener:
    """A port on loopback. It keeps its number from `start` to `stop`, also while it refuses connections."""

    def __init__(self, app: web.Application, host: str) -> None:
        """Serve `app` on a free port of `host`."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        self._host = host
        self._port = 0
        self._reserved: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self.refusing = False

    @property
    def url(self) -> str:
        """Scheme, host and port, with no slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """The port number."""
        return self._port

    async def start(self) -> None:
        """Take connections."""
        await self._runner.setup()
        self._reserved = _reserve(self._host, 0)
        self._port = self._reserved.getsockname()[1]
        await self._open()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._opening:
            await self._opening
        self.refuse()
        await self._runner.cleanup()
        if self._reserved:
            self._reserved.close()

    def refuse(self) -> None:
        """From now on connections are refused; those that exist are cut."""
        self.refusing = True
        if self._server:
            self._close(self._server)

    def accept(self) -> None:
        """Take connections again."""
        if self.refusing and self._reserved:
            self.refusing = False
            self._reserved.listen()
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        server, sock = self._runner.server, self._reserved
        if server is None or sock is None:
            raise RuntimeError("the listener was not started")
        self._server = await asyncio.get_running_loop().create_server(server, sock=sock)
        self._reserved = None
        if self.refusing:
            self._close(self._server)

    def _close(self, server: asyncio.Server) -> None:
        server.close()
        self._server = None
        self._reserved = _reserve(self._host, self._port)
        for connection in self._runner.server.connections if self._runner.server else []:
            reset(connection.transport)
