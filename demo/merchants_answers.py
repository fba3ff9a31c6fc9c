"""How the demonstration's merchants show an order: where it stands, its price, and what it delivers."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from demo.merchants_book import MerchantOrder
from demo.sales import price
from demo.shops import SHOPS

STAGES = (("Recherche", "Searching"), ("Analyse", "Analysing"), ("Rédaction", "Writing"))


def order_json(order: MerchantOrder, url: str, report_seconds: float) -> dict[str, Any]:
    """One order; `url` is where its document is, `report_seconds` how long a slow one takes in all."""
    left = order.ready_at - time.monotonic()
    if order.state == "ordered" and left <= 0:
        order.state = "delivered"
    sale = next(sale for sale in SHOPS[order.merchant].sales if sale.id == order.offer)
    content = {
        "order": order.number, "purchase_order": order.po_number, "client_reference": order.key, "at": order.at.isoformat(),
        "state": "preparing" if order.state == "ordered" else order.state, "price": price(sale, order.percent),
        **({"units": order.units} if order.units else {}),
    }  # fmt: skip
    if order.state == "ordered":
        done = max(0.0, 1 - left / max(report_seconds, 0.001))
        stage = STAGES[min(2, int(done * 3))]
        content |= {"retry_after": 1, "percent": int(done * 100), "stage": {"fr": stage[0], "en": stage[1]}}
    elif order.state == "refused":
        content |= {
            "code": "no_data",
            "words": {
                "fr": "Le marchand n'a rien trouvé. Rien n'est facturé.",
                "en": "The merchant found nothing. Nothing is charged.",
            },
        }
    elif order.content and order.content.licence:
        content["delivery"] = {"kind": "licence", "key": order.content.licence, "units": order.content.units}
    elif order.content and order.content.until:
        content["delivery"] = {
            "kind": "access", "url": f"{url}/{order.merchant}/entry/{order.content.ticket}",
            "until": order.content.until.isoformat(),
        }  # fmt: skip
    elif order.content and order.content.rows:
        rows = [
            {"label": {"fr": french, "en": english}, "value": value} for french, english, value in order.content.rows
        ]
        content["delivery"] = {"kind": "data", "rows": rows}
    elif order.content:
        content["delivery"] = {
            "kind": "document", "media_type": order.content.media_type, "filename": order.content.filename,
            "url": f"{url}/{order.merchant}/documents/{order.number}",
            "sha256": hashlib.sha256(order.content.body).hexdigest(),
        }  # fmt: skip
    return content
