"""A mail server for tests that leaves no connection behind."""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class MailServer(Controller):
    """aiosmtpd's on 127.0.0.1, that hangs up on everybody when it stops.

    Otherwise a client that has just said goodbye leaves a socket open, which is found in the middle of another test.
    """

    def __init__(self, handler: Any, port: int) -> None:
        self._made: list[SMTP] = []
        super().__init__(handler, hostname="127.0.0.1", port=port)

    def factory(self) -> SMTP:
        made = super().factory()
        self._made.append(made)
        return made

    def stop(self, no_assert: bool = False) -> None:  # noqa: FBT001, FBT002 - aiosmtpd's
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for one in self._made:
            if one.transport is not None:
                one.transport.abort()
        # What is aborted is closed in the next turn of the loop.
        await asyncio.sleep(0.01)
