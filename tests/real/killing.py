"""Die at a chosen point: every commit and every request has two, counted from 1 in the order they are passed."""

from __future__ import annotations

import os
import signal

import httpx2
from sqlalchemy import event
from sqlalchemy.orm import Session


class Points:
    """Counts the points that are passed, and ends the process by SIGKILL at the one wanted (0: never)."""

    def __init__(self, wanted: int) -> None:
        self.passed, self._wanted = 0, wanted

    def point(self, *_arguments: object) -> None:
        """Die here if this is the chosen point."""
        self.passed += 1
        if self.passed == self._wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on around every commit, and around every request: before it leaves, and after its answer has come."""
        send = httpx2.Client.send

        def sending(client: httpx2.Client, *arguments: object, **options: object) -> httpx2.Response:
            self.point()
            answer = send(client, *arguments, **options)  # type: ignore[arg-type]
            self.point()
            return answer

        httpx2.Client.send = sending  # type: ignore[assignment, method-assign]
        event.listen(Session, "before_commit", self.point)
        event.listen(Session, "after_commit", self.point)
