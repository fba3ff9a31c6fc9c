"""The connector contract, version 1, in one file because it is the only thing a connector or adapter imports.

Money is integer minor units (cents) with an ISO 4217 code; VAT rates are basis points (2000 is 20 %).
Times are aware `datetime` in UTC; durations are seconds.

An outcome is *done*, *not done* or **unknown**. Unknown is resolved by look-up with the key that was
stored before the first byte left, never by a blind repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    from connectors.http import Download, GuardedClient

CONTRACT_VERSION = 1

Words = Mapping[str, str]
"""One text in several languages, keyed by ISO 639-1 code; `fr` is always present."""

InputType = Literal[
    "text", "siren", "siret", "vat", "phone", "date", "choice", "article", "email", "country", "file"
]  # fmt: skip
Pricing = Literal["act", "duration", "pack", "subscription"]
"""What a price is for: one act; entry for a time; units that are used up one by one; one period of a subscription.

Nothing here is ever renewed by itself: a further period is a further purchase. What costs nothing is priced at zero.
"""


@dataclass(frozen=True)
class Input:
    """One thing the employee is asked for at the first click.

    `suggest` is true when the connector's `suggest` method can complete this input as one types.
    `pattern` is matched against the whole value; `minimum` and `maximum` bound its length. The value of a `file` is the
    reference of an `Upload` of one of the media types in `accept`, of at most `most_bytes` bytes.
    """

    name: str
    label: Words
    type: InputType = "text"
    required: bool = True
    pattern: str = ""
    minimum: int = 0
    maximum: int = 200
    help: Words = field(default_factory=dict)
    choices: tuple[tuple[str, Words], ...] = ()
    personal: bool = False
    suggest: bool = False
    accept: tuple[str, ...] = ()
    most_bytes: int = 5_000_000


@dataclass(frozen=True)
class Upload:
    """A file that the employee gave for an input, as the portal keeps it until the order ends."""

    reference: str
    filename: str
    media_type: str
    size: int
    sha256: str


class Uploads(Protocol):
    """Where a connector finds the files that inputs refer to."""

    def describe(self, reference: str) -> Upload:
        """What is known of a file. Raises `ContractBroken` when there is none under this reference."""

    def open(self, reference: str) -> BinaryIO:
        """Its bytes; whoever opens it closes it. Raises `ContractBroken` when they are not there any more."""


class NoUploads:
    """The files of a portal that keeps none."""

    def describe(self, reference: str) -> Upload:
        """Raises `ContractBroken`."""
        raise ContractBroken(f"no file {reference!r} is kept here")

    def open(self, reference: str) -> BinaryIO:
        """Raises `ContractBroken`."""
        raise ContractBroken(f"no file {reference!r} is kept here")


@dataclass(frozen=True)
class Suggestion:
    """A completion for one input: the value to send, and what a person reads."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Offer:
    """What can be bought. `gross_cents` is indicative: only a quote binds the merchant.

    `term` is how long a `duration` or a `subscription` lasts, as an ISO 8601 duration (`PT24H`, `P7D`, `P1M`, `P1Y`);
    `units` how many uses a `pack` holds; `packs` the merchant's own packs whose units may pay for one of this.
    """

    id: str
    title: Words
    summary: Words
    category: str
    net_cents: int
    vat_rate_bp: int
    vat_cents: int
    gross_cents: int
    currency: str
    delivery: Literal["document", "link", "data", "licence", "access"]
    inputs: tuple[Input, ...] = ()
    delay: Words = field(default_factory=dict)
    keywords: str = ""
    pricing: Pricing = "act"
    term: str = ""
    units: int = 0
    packs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """An offer the merchant no longer sells."""

    id: str


@dataclass(frozen=True)
class State:
    """A place in the list of offers: what came before it may be stored, and `cursor` goes on from here.

    With `more` it is a checkpoint in the middle of a list, which goes on from it when it was interrupted. Without,
    it ends the list, and the next list brings only what has changed since.
    """

    cursor: str
    more: bool = True


@dataclass(frozen=True)
class Unfit:
    """Something in the merchant's list that cannot be sold here; it is reported in the words of `why`, never shown."""

    id: str
    why: str


Listed = Offer | Removed | State | Unfit


@dataclass(frozen=True)
class QuoteLine:
    """One line of a quote, as it will stand on the receipt."""

    description: str
    net_cents: int
    vat_rate_bp: int
    vat_cents: int


@dataclass(frozen=True)
class Quote:
    """The merchant's binding price for given inputs, until `expires_at` (UTC)."""

    ref: str
    net_cents: int
    vat_rate_bp: int
    vat_cents: int
    gross_cents: int
    currency: str
    expires_at: datetime
    lines: tuple[QuoteLine, ...] = ()
    subject: str = ""
    """What the inputs designate, in the merchant's words (a company's name, an article's title)."""
    offer_id: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What was quoted: left empty by the connector, filled in by the core when it hands the quote to `fulfil`."""
    units: int = 0
    """How many units of the pack that `Buyer.licence` names pay for it; it costs nothing then."""


@dataclass(frozen=True)
class Buyer:
    """Who buys, as far as a merchant needs to know: the company, never the person.

    `licence` is the key of a pack of this merchant with units left, when the employee has one that may pay.
    """

    company: str
    language: str = "fr"
    cost_centre: str = ""
    licence: str = ""


# --- Deliveries -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Document:
    """A file at the merchant's `url`, on a host of the manifest; the core fetches and checks it."""

    media_type: str
    url: str
    filename: str
    sha256: str = ""
    once: bool = False
    """Whether it can be fetched once only: it is not asked for before there is room for it, nor again once it came whole."""
    kind: Literal["document"] = "document"


@dataclass(frozen=True)
class Link:
    """A page at the publisher's, opened by the employee's own browser."""

    url: str
    expires_at: datetime | None = None
    kind: Literal["link"] = "link"


@dataclass(frozen=True)
class Data:
    """Rows of (label, value) shown as a table. A value is text; a label is given in words.

    What is longer than a page, some two thousand rows, is a `Document`.
    """

    rows: tuple[tuple[Words, str], ...]
    kind: Literal["data"] = "data"


@dataclass(frozen=True)
class Licence:
    """A key, how many uses it is good for (0: no count), and until when (UTC)."""

    key: str
    units: int = 0
    until: datetime | None = None
    kind: Literal["licence"] = "licence"


@dataclass(frozen=True)
class Access:
    """A right to enter a site until a shown end (UTC)."""

    url: str
    until: datetime
    kind: Literal["access"] = "access"


Delivery = Document | Link | Data | Licence | Access


# --- Outcomes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """It happened. `charged_cents` is what the merchant will invoice, VAT included."""

    delivery: Delivery
    charged_cents: int
    order_ref: str = ""


@dataclass(frozen=True)
class Pending:
    """Accepted and on its way: ask `status(order_ref)` again in `after_s` seconds."""

    order_ref: str
    after_s: int
    stage: Words = field(default_factory=dict)
    percent: int | None = None


@dataclass(frozen=True)
class NotDone:
    """It did not happen and never will under this key; nothing is charged. `words` is for the employee.

    `new_quote` is set when the only obstacle is the price: the employee is asked again.
    """

    code: str
    words: Words = field(default_factory=dict)
    new_quote: Quote | None = None


@dataclass(frozen=True)
class Unknown:
    """Nobody can say yet: the request may have been carried out. `detail` is evidence for an admin.

    `retry_after_s` is the other side's own wish, when it gave one. `needs_admin` is set by a merchant's
    connector when asking again would tell nothing more: a person decides now, not at the deadline. `cause` names
    what he is told: it would be shipped, or it is about somebody else than was asked for.
    """

    detail: str
    retry_after_s: int | None = None
    needs_admin: bool = False
    cause: Literal["", "physical", "other_subject"] = ""


@dataclass(frozen=True)
class NotFound:
    """The merchant has never seen this key."""


Outcome = Done | Pending | NotDone | Unknown


# --- Errors a connector may raise from quote, list_offers, suggest and check ------------------------


class ConnectorError(Exception):
    """Base of what a connector may raise; `detail` is for the log, never for the employee."""

    def __init__(self, detail: str = "", *, words: Words | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.words: Words = words or {}


class Rejected(ConnectorError):
    """The merchant understood and refused; `words` says why, for the employee. `field` names the input at fault."""

    def __init__(self, detail: str = "", *, words: Words | None = None, field: str = "") -> None:
        super().__init__(detail, words=words)
        self.field = field


class Physical(Rejected):
    """The merchant would ship something, and only what is delivered online is sold here; `detail` says what gives it away."""


class Unavailable(ConnectorError):
    """The other side could not be reached, or asked us to wait: certainly nothing was done."""

    def __init__(self, detail: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class AuthFailed(ConnectorError):
    """The other side refused our credentials: an administrator must act."""


class UnknownOutcome(ConnectorError):
    """The request left and its answer is lost or unreadable."""


class ContractBroken(ConnectorError):
    """The answer is not what the contract or the other side's own definition says."""


class NotOffered(ConnectorError):
    """The other side has no such thing, and it is no fault."""


@dataclass(frozen=True)
class Problem:
    """One thing `check` found wrong: what, and what to do about it (plain words, both languages)."""

    what: Words
    remedy: Words


# --- Merchant connectors ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """What the core hands to a connector: its settings, its secrets and the guarded HTTP client."""

    key: str
    base_url: str
    secrets: Mapping[str, str]
    http: GuardedClient
    manifest: Mapping[str, Any]
    uploads: Uploads = field(default_factory=NoUploads)


class MerchantConnector:
    """What a merchant's `connector.py` subclasses as `Connector`. Synchronous; no database, no environment.

    Every method may raise `Unavailable`, `AuthFailed` or `ContractBroken`. `fulfil`, `lookup` and
    `status` answer `Unknown` for every doubt; anything else they raise is taken as unknown.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """Every offer on sale now; from a `State.cursor` given earlier, the rest of the list or what has changed since.

        A connector without `State` lists everything each time, and what is not listed any more is withdrawn.
        """
        raise NotImplementedError

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """At most ten completions for what was typed; an empty list when the merchant has no look-up."""
        return []

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """A binding price. Raises `Rejected` with words (and `field`) for inputs that designate nothing."""
        raise NotImplementedError

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """Order what was quoted. `key` was stored by the core before this call and is minted once."""
        raise NotImplementedError

    def lookup(self, key: str) -> Outcome | NotFound:
        """What became of `key`?"""
        raise NotImplementedError

    def lookup_sent(self, quote: Quote, key: str) -> Outcome | NotFound:
        """What became of `key`, sent for `quote`? The core asks this; override it where orders are found by the quote.

        `NotFound` promises that sending the same order again under the same key makes one order at most.
        """
        return self.lookup(key)

    def status(self, order_ref: str) -> Outcome:
        """Where an order that was `Pending` stands."""
        raise NotImplementedError

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """Write a delivered document into a file; override it to send credentials along."""
        return self.context.http.download(document.url, into)

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """The merchant's own book since a time (UTC). Raises `NotOffered` when it has none to show."""
        raise NotOffered

    def check(self) -> list[Problem]:
        """Credentials, host and clock; nothing is bought."""
        raise NotImplementedError


DELIVERED = "delivered"


@dataclass(frozen=True)
class BookLine:
    """One line of the other side's book. `reference` is our order number.

    `state` is `DELIVERED` for what was delivered and is invoiced; anything else is the other side's own word.
    """

    reference: str
    key: str
    gross_cents: int
    currency: str
    state: str
    at: datetime


# --- Operator adapters ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChargeItem:
    """One line of a charge (CAMARA `PaymentItem`); amounts in cents, VAT included in `amount_cents`."""

    id: str
    description: str
    amount_cents: int
    vat_cents: int


@dataclass(frozen=True)
class ChargeRequest:
    """What the operator is asked to put on the invoice.

    `key` is the charge's key (CAMARA `clientCorrelator`), `reference` the order number that the
    invoice will show (`referenceCode`). `line` is the company's line in E.164.
    """

    key: str
    reference: str
    line: str
    amount_cents: int
    vat_cents: int
    currency: str
    description: str
    merchant_name: str
    merchant_id: str
    category: str
    product_id: str
    items: tuple[ChargeItem, ...] = ()
    """What it is made of, when it is more than one thing; they add up, or making it raises `ValueError`."""

    def __post_init__(self) -> None:
        sums = (sum(item.amount_cents for item in self.items), sum(item.vat_cents for item in self.items))
        if self.items and sums != (self.amount_cents, self.vat_cents):
            raise ValueError(f"items of {sums} cents in a charge of {(self.amount_cents, self.vat_cents)}")


ChargeState = Literal["processing", "reserved", "captured", "voided", "denied"]


@dataclass(frozen=True)
class OperatorCharge:
    """The operator's own view of one charge."""

    ref: str
    key: str
    reference: str
    state: ChargeState
    amount_cents: int
    currency: str
    created_at: datetime
    refunded_cents: int = 0


RefundState = Literal["processing", "done", "denied"]


@dataclass(frozen=True)
class OperatorRefund:
    """The operator's own view of one refund of a charge. `key` is the one it was asked under, "" if it was not by us."""

    ref: str
    key: str
    charge_ref: str
    state: RefundState
    amount_cents: int
    currency: str
    created_at: datetime


@dataclass(frozen=True)
class Refused:
    """The operator understood and refused: certainly nothing was charged, or given back.

    `code` is one of `line`, `amount`, `threshold`, `denied`, `credentials`, `request`, `expired`;
    `detail` is the operator's own word, for the log and the admin.
    """

    code: str
    detail: str = ""


@dataclass(frozen=True)
class Unreachable:
    """Certainly not done: the connection was never made, or the operator asked us to wait."""

    detail: str
    retry_after_s: int | None = None


OperatorOutcome = OperatorCharge | Refused | Unreachable | Unknown
RefundOutcome = OperatorRefund | Refused | Unreachable | Unknown


FileState = Literal["closed", "delivered", "accepted", "accepted_in_part", "refused"]
"""`closed`: made, and not yet (again) where the operator takes it. The last three are the operator's own word."""


@dataclass(frozen=True)
class ChargeFile:
    """A file of charges for an operator that bills from usage records; it never changes once it is made.

    `net_cents` is charges less refunds, VAT included. `repeats` counts the re-issues asked for,
    `rejected` the lines the operator refused.
    """

    number: int
    name: str
    day: date
    state: FileState
    charges: int
    refunds: int
    net_cents: int
    currency: str
    sha256: str
    closed_at: datetime
    delivered_at: datetime | None = None
    answered_at: datetime | None = None
    repeats: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class LineRejected:
    """A line of a file that the operator refused to bill.

    `key` and `reference` are the charge's; `refund_key` is set when the line was a refund of it.
    """

    key: str
    reference: str
    file_number: int
    code: str
    detail: str
    refund_key: str = ""


@dataclass(frozen=True)
class AnswerFile:
    """An answer of the operator that was read; `problems` is what in it could not be used."""

    name: str
    read_at: datetime
    problems: tuple[Problem, ...] = ()


class ChargeFiles(Protocol):
    """What `billing` needs of an operator that is given files. Safe in several processes, and to repeat after any crash."""

    def close(self, before: date) -> list[ChargeFile]:
        """Make the files of the company's days before a day; a day without lines makes none. Raises `ConnectorError`."""

    def deliver(self) -> list[ChargeFile]:
        """Put every file that is not there yet where the operator takes it; those delivered now. Raises `ConnectorError`."""

    def read_answers(self) -> list[Problem]:
        """Read the operator's new answers; what in them cannot be used, each told once. Raises `ConnectorError`."""

    def answers(self) -> list[AnswerFile]:
        """Every answer that was read, oldest first. Raises `ConnectorError`."""

    def rejected(self) -> list[LineRejected]:
        """Every line the operator ever refused, oldest first. Raises `ConnectorError`."""

    def listing(self) -> list[ChargeFile]:
        """Every file, oldest first. Raises `ConnectorError`."""

    def reissue(self, number: int) -> ChargeFile:
        """Deliver a file again: same number, same bytes, a name that says so. Raises `ConnectorError`; `Rejected` for no such file."""

    def public_key(self) -> str:
        """The key that the files' signatures verify with (PEM); the pair is made on first use. Raises `ConnectorError`."""

    def unfiled(self) -> int:
        """How many lines to bill no file holds yet. Raises `ConnectorError`."""


class OperatorAdapter(Protocol):
    """What `billing` needs of an operator. No method raises for the network: the outcome says it."""

    @property
    def identity(self) -> str:
        """In whose books charges made here are, and by which way: today's profile and the adapter, like `sfr/camara`."""

    @property
    def files(self) -> ChargeFiles | None:
        """The files this operator bills from; None when each charge is told to it at once."""

    @property
    def finds_in_list(self) -> bool:
        """Whether `find` reads `list_charges` for each look-up: whoever has many reads it once and takes what it gives."""

    def prepare(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve the amount. A repeat with the same key never reserves twice."""

    def confirm(self, ref: str) -> OperatorOutcome:
        """Capture a reservation; already captured is a success."""

    def cancel(self, ref: str) -> OperatorOutcome:
        """Void a reservation; already voided is a success."""

    def charge(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve and capture in one step."""

    def status(self, ref: str) -> OperatorOutcome:
        """The operator's view of one charge."""

    def find(self, charge_key: str, since: datetime) -> OperatorOutcome | NotFound:
        """The charge made under a key at or after `since` (UTC), for a reply that was lost."""

    def refund(self, ref: str, amount_cents: int, key: str) -> RefundOutcome:
        """Give back part or all of a captured charge. A repeat with the same key never gives back twice."""

    def find_refund(self, ref: str, key: str) -> RefundOutcome | NotFound:
        """The refund of a charge that was asked under a key, for a reply that was lost."""

    def list_refunds(self, ref: str) -> Iterator[OperatorRefund]:
        """Every refund of a charge, for the comparison of the books. Raises `ConnectorError`."""

    def list_charges(self, since: datetime) -> Iterator[OperatorCharge]:
        """The operator's own book since a time (UTC). Raises `ConnectorError`."""

    def check(self) -> list[Problem]:
        """Connects and signs in; charges nothing."""

    def close(self) -> None:
        """Give back every connection; nothing is asked of it afterwards."""
