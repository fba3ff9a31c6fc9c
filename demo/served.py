"""What the demonstration's merchants with a server of their own have in common: to start, to end, to misbehave."""

from __future__ import annotations

from demo.sockets import LoopbackServer


class Served:
    """A merchant on `server` that can misbehave in the ways of `faults`."""

    server: LoopbackServer
    faults: tuple[str, ...]
    fault: str

    def start(self) -> None:
        """Serve in a thread."""
        self.server.start()

    def stop(self) -> None:
        """End the server."""
        self.server.stop()

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it. Raises `ValueError` for a fault it does not know."""
        if name and name not in self.faults:
            raise ValueError(name)
        self.fault = name
