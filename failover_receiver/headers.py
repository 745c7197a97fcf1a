"""What every answer says to browsers. Bare ASGI, because a stream goes through it too."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

ALWAYS: Headers = (
    # State of a moment: nobody keeps it, unless the route says how.
    (b"cache-control", b"no-store"),
    # No answer is a page, unless the route says what the page may load.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

OVER_TLS: Headers = ((b"strict-transport-security", b"max-age=2592000"),)
"""Thirty days without plain HTTP for this host name: for any port of it, so it is not said for other names."""


class SecurityHeaders:
    """Adds to each answer what its route has not said itself."""

    def __init__(self, app: ASGIApp) -> None:
        """Guard this application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        wanted = ALWAYS + OVER_TLS if scope["scheme"] == "https" else ALWAYS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in wanted if one[0] not in said)]
            await send(message)

        return await self._app(scope, receive, send_with_headers)
