"""Searches and answers as bytes: the same that ldap3 writes, and everything it would read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.protocol import rfc4511 as asn
from ldap3.protocol.rfc2696 import RealSearchControlValue
from pyasn1.codec.ber import decoder, encoder

from demo.directory_requests import read_search
from portal.directory.ldap import escape
from portal.directory.messages import (
    RESULT_DONE,
    RESULT_ENTRY,
    SUBTREE,
    Entry,
    Malformed,
    NotAFilter,
    Result,
    filter_bytes,
    message_length,
    read_message,
    search_request,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)


def of_ldap3(text: str) -> bytes:
    """The same filter, written by ldap3."""
    parsed = parse_filter(text, None, False, None, None, False).elements[0]
    return bytes(encoder.encode(compile_filter(parsed)))


@pytest.mark.parametrize("text", [
    "(cn=a)", "(objectClass=*)", "(&(objectClass=person)(uid=zoe))", "(|(a=b)(c=d)(e=f))", "(!(a=b))",
    "(&(a=b)(|(c=d)(!(e=*))))", "(cn=a*)", "(cn=*a)", "(cn=*a*)", "(cn=a*b*c)", "(cn=*a*b*)", "(a>=5)", "(a<=5)", "(a~=x)",
    "(cn=\\2a)", "(cn=\\c3\\a9)", "(cn=é)", "(objectSid=\\01\\05\\00)", "(member:1.2.840.113556.1.4.1941:=cn=x,dc=y)",
    "(userAccountControl:1.2.840.113556.1.4.803:=2)", "(cn:=x)", "(cn;lang-fr=x)", "(cn=a=b)",
])  # fmt: skip
def test_a_filter_is_written_as_ldap3_writes_it(text):
    assert filter_bytes(text) == of_ldap3(text)


@given(TEXTS)
def test_any_value_that_is_escaped_is_that_value(value):
    request = search_request(7, "dc=x", SUBTREE, f"(cn={escape(value)})", ["cn"])

    message = decoder.decode(request, asn1Spec=asn.LDAPMessage())[0]["protocolOp"]["searchRequest"]

    assert bytes(message["filter"]["equalityMatch"]["assertionValue"]) == value.encode()


@given(TEXTS, TEXTS)
def test_no_value_reaches_out_of_its_place(value, other):
    text = f"(&(cn={escape(value)})(uid={escape(other)}))"

    assert read_search(search_request(1, "", SUBTREE, text, [])).test == (
        "and", [("equal", "cn", value), ("equal", "uid", other)],
    )  # fmt: skip


@pytest.mark.parametrize("text", [
    "", "cn=a", "(cn=a", "(cn=a))", "((cn=a))", "(&)(a=b)", "(!(a=b)(c=d))", "(!)", "(=a)", "(cn)", "(cn=\\zz)", "(cn=\\2)",
    "(cn=a)(b=c)", "(&(a=b)", "(objectClass=", "(:=x)", "(a b=c)", "(" * 200 + "a=b" + ")" * 200, "(!" * 100 + "(a=b)" + ")" * 100,
])  # fmt: skip
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(NotAFilter):
        filter_bytes(text)


@given(st.text("()&|!=*\\<>~:ab ", max_size=30))
def test_no_text_breaks_the_reading_of_filters(text):
    with contextlib.suppress(NotAFilter):
        assert isinstance(filter_bytes(text), bytes)


def test_spaces_between_the_parts_of_a_configured_filter_do_no_harm():
    assert filter_bytes(" (& (a=b) (c=d) ) ") == filter_bytes("(&(a=b)(c=d))")


@given(
    st.integers(1, 2**31 - 1),
    TEXTS,
    st.sampled_from([0, 1, 2]),
    st.lists(st.sampled_from(["cn", "uid", "entryUUID"])),
    st.binary(max_size=300),
)
def test_a_request_is_the_one_that_was_meant(number, base, scope, attributes, cookie):
    request = search_request(number, base, scope, "(cn=*)", attributes, page=500, cookie=cookie)

    message = decoder.decode(request, asn1Spec=asn.LDAPMessage())[0]
    search, control = message["protocolOp"]["searchRequest"], message["controls"][0]
    paging = decoder.decode(bytes(control["controlValue"]), asn1Spec=RealSearchControlValue())[0]

    assert (int(message["messageID"]), bytes(search["baseObject"]), int(search["scope"])) == (
        number,
        base.encode(),
        scope,
    )
    assert [str(name) for name in search["attributes"]] == attributes
    assert (int(search["derefAliases"]), int(search["sizeLimit"]), bool(search["typesOnly"])) == (0, 0, False)
    assert (int(paging["size"]), bytes(paging["cookie"])) == (500, cookie)
    assert message_length(request) == len(request)


def message(number, operation):
    content = asn.LDAPMessage()
    content["messageID"] = number
    kind = asn.ProtocolOp()
    kind.setComponentByType(operation.getTagSet(), operation)
    content["protocolOp"] = kind
    return content


@given(
    TEXTS,
    st.dictionaries(
        st.sampled_from(["cn", "Member", "objectGUID", "jpegPhoto;binary"]),
        st.lists(st.binary(max_size=400), max_size=5),
    ),
)
def test_an_entry_is_read_whole(dn, attributes):
    entry, listed = asn.SearchResultEntry(), asn.PartialAttributeList()
    entry["object"] = dn.encode()
    for place, (name, values) in enumerate(attributes.items()):
        attribute, held = asn.PartialAttribute(), asn.Vals()
        for index, value in enumerate(values):
            held[index] = value
        attribute["type"], attribute["vals"] = name, held if values else held.clear()
        listed[place] = attribute
    entry["attributes"] = listed

    read = read_message(encoder.encode(message(300, entry)))

    assert read == (300, RESULT_ENTRY, Entry(dn, {name.lower(): values for name, values in attributes.items()}))


@pytest.mark.parametrize(("code", "cookie"), [(0, b""), (0, b"next"), (4, b""), (32, b"")])
def test_the_end_of_a_search_is_read_with_its_page(code, cookie):
    done = asn.SearchResultDone()
    done["resultCode"], done["matchedDN"], done["diagnosticMessage"] = code, "", "été"
    content = message(5, done)
    paging = RealSearchControlValue()
    paging["size"], paging["cookie"] = 0, cookie
    control = asn.Control()
    control["controlType"], control["criticality"] = "1.2.840.113556.1.4.319", False
    control["controlValue"] = asn.ControlValue(encoder.encode(paging))
    content["controls"] = asn.Controls()
    content["controls"][0] = control

    assert read_message(encoder.encode(content)) == (5, RESULT_DONE, Result(code, "été", cookie))


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reading_of_messages(content):
    try:
        length = message_length(content)
        if 0 < length <= len(content):
            read_message(content[:length])
    except Malformed:
        pass


@pytest.mark.parametrize(
    "content", [b"\x30\x85\x01\x00\x00\x00\x00", b"\x30\x84\xff\xff\xff\xff", b"\x31\x00", b"HTTP/1.1 400", b"\x30\x80"]
)
def test_no_message_without_measure_is_waited_for(content):
    with pytest.raises(Malformed):
        message_length(content)
