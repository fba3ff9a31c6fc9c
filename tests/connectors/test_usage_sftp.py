"""Usage files by SFTP to a server of ours that misbehaves when told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from connectors.contract import AuthFailed, Unavailable
from connectors.operators.usage_file import sftp as usage_file_sftp
from tests.connectors.conftest import charge
from tests.connectors.usage_office import open_office


class Server(threading.Thread):
    """One user, one password; `cut_at` names the step at which the connection is lost."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root, self.cut_at = root, ""
        self.seen_passwords: list[str] = []
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.port = 0

    @property
    def host_key(self) -> str:
        """Its public key."""
        return self.key.export_public_key().decode().strip()

    def run(self) -> None:
        """Serve until told to stop."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen())
        self.ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self._end())
        self.loop.close()

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(60)

    async def _listen(self) -> None:
        outer = self

        class Door(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                outer.connection = conn

            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                outer.seen_passwords.append(password)
                return (username, password) == ("guichet", "é secret")

        class Files(asyncssh.SFTPServer):
            def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
                super().__init__(chan, chroot=str(outer.root).encode())

            def write(self, file_obj: object, offset: int, data: bytes) -> int:
                outer.perhaps_cut("write")
                done = super().write(file_obj, offset, data[: len(data) // 2] if outer.cut_at == "half" else data)
                outer.perhaps_cut("half")
                return done

            def rename(self, oldpath: bytes, newpath: bytes) -> None:
                outer.perhaps_cut("before rename")
                super().rename(oldpath, newpath)
                outer.perhaps_cut("after rename")

        self.listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=[self.key], sftp_factory=Files
        )
        self.port = self.listener.get_port()

    async def _end(self) -> None:
        self.listener.close()
        await self.listener.wait_closed()
        for task in asyncio.all_tasks(self.loop) - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    def perhaps_cut(self, step: str) -> None:
        """Lose the connection at the chosen step, once."""
        if step == self.cut_at:
            self.cut_at = ""
            self.connection.abort()
            raise asyncssh.SFTPFailure("cut")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "out").mkdir()
    running = Server(tmp_path / "out")
    running.start()
    assert running.ready.wait(60)
    yield running
    running.stop()


@pytest.fixture
def office(tmp_path, server):
    made = open_office(
        tmp_path, make=False, folder=None, sftp=f"sftp://guichet@127.0.0.1:{server.port}/", sftp_host_key=server.host_key,
        sftp_password="é secret",
    )  # fmt: skip
    return made


def test_a_password_is_sent_to_the_pinned_server_only(office, server):
    assert office.adapter.check() == []
    assert server.seen_passwords == ["é secret"]

    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    [problem] = office.again(sftp_host_key=other).check()

    assert "somebody is between" in problem.remedy["en"]
    assert server.seen_passwords == ["é secret"]


def test_a_wrong_password_is_named(office):
    [problem] = office.again(sftp_password="wrong").check()

    assert "usage_sftp_password" in problem.remedy["en"]


@pytest.mark.parametrize("step", ["write", "half", "before rename", "after rename"])
def test_a_connection_lost_at_any_step_leaves_nothing_half_done(step, office, server):
    office.adapter.charge(charge())
    server.cut_at = step

    with pytest.raises(Unavailable):
        office.send()
    office.reader.read_folder(office.out)
    assert office.adapter.files.listing()[0].state == "closed"
    office.adapter.files.deliver()
    office.reader.read_folder(office.out)

    assert len(office.there()) == len(office.reader.billed) == 1
    assert office.adapter.files.listing()[0].state == "delivered"


def test_a_server_that_never_answers_makes_one_round_wait_not_the_worker(office, monkeypatch):
    import socket

    monkeypatch.setattr(usage_file_sftp, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"sftp://guichet@127.0.0.1:{silent.getsockname()[1]}/"
        [problem] = office.again(sftp=address).check()

    assert "firewall" in problem.remedy["en"]


def test_a_server_that_refused_our_sign_in_is_left_alone_for_a_while(office, server):
    office.adapter.charge(charge())
    office.adapter.files.close(office.today.replace(day=26))
    wrong = office.again(sftp_password="wrong")

    for _round in range(3):
        with pytest.raises(AuthFailed):
            wrong.files.deliver()

    assert server.seen_passwords == ["wrong"]
    wrong.check()
    assert server.seen_passwords == ["wrong", "wrong"]
