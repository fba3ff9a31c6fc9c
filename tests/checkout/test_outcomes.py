"""A delivery nobody can use is no delivery: it is a doubt, and nothing is charged for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.contract import Access, ContractBroken, Data, Document, Done, Licence, Link
from portal.checkout.outcomes import require_usable

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "delivery",
    [
        Data(()), Licence("  "), Link("javascript:alert(1)"), Link("//elsewhere.example"), Link("http://elsewhere.example"),
        Link("https://"), Link("file:///etc/passwd"), Access("data:text/html,x", LATER), Link("https://[half"),
        Licence("K-1", 10, LATER.replace(tzinfo=None)),
    ],
)  # fmt: skip
def test_what_nobody_can_use(delivery):
    with pytest.raises(ContractBroken):
        require_usable(Done(delivery, 100))


@pytest.mark.parametrize(
    "delivery",
    [
        Data((({"fr": "Nom"}, "Acme"),)), Licence("K-1"), Link("https://publisher.example/a"), Link("http://127.0.0.1:9/a"),
        Access("https://publisher.example", LATER), Document("application/pdf", "https://m.example/d", "d.pdf"),
    ],
)  # fmt: skip
def test_what_can_be_used(delivery):
    require_usable(Done(delivery, 100))
