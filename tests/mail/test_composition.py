"""A mail as it travels: every accent arrives, every name stays one recipient, and no word becomes a header."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.mail.addresses import Recipient, Unmailable, is_one_line
from portal.mail.composition import composed, message_id
from portal.mail.messages import Mail, post

SENDER = "guichet@acme.example"
MULTILINE = ["\n", "\r", "\r\n", "\x00", "\x1b", "\x85", "\u2028", "\u2029"]
one_line = st.text(max_size=150).filter(is_one_line)


def mail(name="Dupont, Zoé", address="zoe.dupont@acme.example", subject="Une demande à décider", text="Bonjour,\n"):
    made = Mail(
        key="6f1c", to_name=name, to_address=address, subject=subject, text=text, language="fr",
        created_at=datetime(2026, 11, 25, 13, 30, tzinfo=UTC),
    )  # fmt: skip
    made.message_id = message_id(made, SENDER)
    return made


def read(content):
    return message_from_bytes(content, policy=policy.default)


def recipients(content):
    """As an old reader decodes them: addresses first, then words."""
    header = message_from_bytes(content)["To"].replace("\r\n", "")
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([header])]


def test_every_header_says_what_it_must():
    message = read(composed(mail(), SENDER))

    assert dict(message.items()) == {
        "From": "Guichet <guichet@acme.example>",
        "To": '"Dupont, Zoé" <zoe.dupont@acme.example>',
        "Subject": "Une demande à décider",
        "Date": "Wed, 25 Nov 2026 13:30:00 +0000",
        "Message-ID": "<6f1c@acme.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "fr",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
    }
    assert message.get_content() == "Bonjour,\r\n"


@pytest.mark.parametrize("name", [
    "Dupont, Zoé", "Dupont, Zoe", 'Zoé "Zaza" Dupont', "O'Neill", "R&D; Études <chef>", "zoe@acme.example", "=?utf-8?q?Pirate?=",
    "Dupont de la Rochefoucauld-Montmorency, Zoé Éléonore Marguerite Adélaïde Désirée", "Long, " * 30 + "Zoe", "عمر", "a\\b", "",
])  # fmt: skip
def test_any_name_stays_one_recipient(name):
    content = composed(mail(name), SENDER)

    assert recipients(content) == [(name, "zoe.dupont@acme.example")]
    assert [each.addr_spec for each in read(content)["To"].addresses] == ["zoe.dupont@acme.example"]


@given(
    name=one_line,
    subject=one_line,
    text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")),
)
def test_whatever_is_written_arrives_and_becomes_no_header(name, subject, text):
    content = composed(mail(name, subject=subject, text=text), SENDER)
    message = read(content)

    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert len(message.keys()) == 10
    assert [address for _name, address in recipients(content)] == ["zoe.dupont@acme.example"]
    assert str(make_header(decode_header(message_from_bytes(content)["Subject"]))).split() == subject.split()
    assert message.get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize("line_break", MULTILINE)
def test_a_second_line_in_a_name_an_address_or_a_subject_is_refused(line_break):
    trick = f"Zoé{line_break}Bcc: everybody@acme.example"
    with pytest.raises(Unmailable):
        Recipient("zoe@acme.example", trick)
    with pytest.raises(Unmailable):
        Recipient(f"zoe@acme.example{line_break}Bcc: everybody@acme.example")
    with pytest.raises(Unmailable):
        post(None, Recipient("zoe@acme.example"), trick, "", "fr")


@pytest.mark.parametrize("address", [
    "", "zoe", "@acme.example", "zoe@", "zoe@acme..example", "zoe@-acme.example", "zoe @acme.example", "zoe@acme.example,a@b.c",
    "<zoe@acme.example>", "zoe@acme.example>", "zoé@acme.example", ".zoe@acme.example", "x" * 65 + "@acme.example",
    "zoe@" + "a" * 64 + ".example", "zoe@" + "a." * 130 + "example", "a@b@acme.example", '"zoe"@acme.example', "zoe@[127.0.0.1]",
])  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(address):
    with pytest.raises(Unmailable) as refused:
        Recipient(address)

    assert not address or address not in str(refused.value)


@pytest.mark.parametrize(("written", "kept"), [
    ("zoe.dupont+guichet@acme.example", "zoe.dupont+guichet@acme.example"), ("o'neill@acme.example", "o'neill@acme.example"),
    ("zoe@localhost", "zoe@localhost"), ("zoe@société.example", "zoe@xn--socit-esab.example"),
])  # fmt: skip
def test_an_address_is_kept_as_it_travels(written, kept):
    assert Recipient(written).address == kept
