"""Usage files by SFTP, to OpenSSH's own server."""

from __future__ import annotations

import pytest

from connectors.contract import ContractBroken, Unavailable
from tests.connectors.conftest import charge
from tests.connectors.usage_office import open_office
from tests.connectors.usage_reader import answer
from tests.real.sshd import running_sshd


@pytest.fixture
def sshd(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with running_sshd(folder) as server:
        yield server


@pytest.fixture
def office(tmp_path, sshd):
    """A sender that knows nothing but the server's address; its own `out` is where the server keeps files."""
    made = open_office(
        tmp_path, folder=None, sftp=sshd.url, sftp_host_key=sshd.host_key(), sftp_key=sshd.folder / "user"
    )
    (tmp_path / "out").rmdir()
    (tmp_path / "out").symlink_to(sshd.folder / "out")
    return made


def test_a_file_goes_there_is_read_and_its_answer_comes_back(office):
    bought = charge()
    office.adapter.charge(bought)

    [path] = office.send()
    assert office.reader.read_folder(office.out) == [path.name]
    answer(path, [(1, bought.key, "LINE_CLOSED", "")])

    assert office.adapter.files.read_answers() == []
    assert [line.key for line in office.adapter.files.rejected()] == [bought.key]
    assert [file.state for file in office.adapter.files.listing()] == ["accepted_in_part"]
    assert [entry.name for entry in office.out.iterdir() if entry.name.startswith(".")] == []


def test_a_file_delivered_before_a_crash_is_found_there_and_issued_again_it_does_no_harm(office):
    import sqlite3

    office.adapter.charge(charge())
    office.send()
    spool = sqlite3.connect(office.folder / "spool" / "usage.db")
    spool.execute("UPDATE issues SET delivered_at = NULL")
    spool.commit()
    spool.close()

    assert [file.state for file in office.adapter.files.deliver()] == ["delivered"]
    office.adapter.files.reissue(1)

    assert len(office.there()) == 2
    assert len(office.reader.read_folder(office.out)) == 1


def test_a_name_taken_by_other_bytes_is_never_written_over(office):
    office.adapter.charge(charge())
    [made] = office.adapter.files.close(office.today.replace(day=26))
    (office.out / made.name).write_bytes(b"another portal's")

    with pytest.raises(ContractBroken, match="another content"):
        office.adapter.files.deliver()
    assert (office.out / made.name).read_bytes() == b"another portal's"


def test_a_wrong_host_key_is_refused_before_anything_is_said(office, sshd):
    office.adapter.charge(charge())
    impostor = office.again(sftp_host_key=(sshd.folder / "user.pub").read_text())

    impostor.files.close(office.today.replace(day=26))
    with pytest.raises(ContractBroken, match="not the pinned one"):
        impostor.files.deliver()

    [problem] = impostor.check()
    assert "usage_sftp_host_key" in problem.remedy["en"]
    assert list(office.out.iterdir()) == []
    assert "Accepted" not in (sshd.folder / "sshd.log").read_text()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_any_of_the_servers_keys_may_be_the_pinned_one(kind, office, sshd):
    assert office.again(sftp_host_key=sshd.host_key(kind)).check() == []
    assert list(office.out.iterdir()) == []


def test_a_refused_sign_in_and_a_missing_folder_are_told_apart(office, sshd):
    [refused] = office.again(sftp_key=sshd.folder / "stranger").check()
    [missing] = office.again(sftp=f"{sshd.url}/nowhere").check()
    [unreadable] = office.again(sftp_key=sshd.folder / "nothing").check()

    assert "usage_sftp_key_file" in refused.remedy["en"]
    assert "a folder that exists" in missing.remedy["en"]
    assert "nothing" in unreadable.what["en"]


def test_a_server_that_is_away_delays_the_file_and_nothing_else(office, sshd):
    away = office.again(sftp=f"sftp://somebody@127.0.0.1:1{sshd.folder}/out")
    assert away.charge(charge()).state == "captured"
    away.files.close(office.today.replace(day=26))
    with pytest.raises(Unavailable):
        away.files.deliver()

    assert [file.state for file in office.adapter.files.deliver()] == ["delivered"]
