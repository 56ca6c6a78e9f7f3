"""Keeps the header of the caller for whoever wants it."""

from contextvars import ContextVar

#: The `traceparent` of the request that is being answered.
traceparent = ContextVar("traceparent")


class RememberIncoming:
    """Middleware."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            traceparent.set(dict(scope["headers"]).get(b"traceparent", b"").decode())
        await self.app(scope, receive, send)
