"""One purchase in a process of its own, killed at a chosen commit or send; run by test_sigkill.py.

usage: killed_purchase.py CONFIG TOKEN ACCOUNT POINT   (POINT 0: never killed; prints how many points there are)
"""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal import settings
from portal.billing.worker import work_once
from portal.checkout.confirmation import accept
from portal.checkout.quotes import QuoteRow
from portal.directory import sign_in
from portal.directory.accounts import Account
from portal.installation import open_installation
from tests.real.killing import Points

config, token, account_id, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
points = Points(wanted)
house = open_installation(settings.load(Path(config), {}))
with house.database.reading() as reader:
    quote = reader.scalars(select(QuoteRow).where(QuoteRow.token == token).options(joinedload(QuoteRow.offer))).one()
    account = reader.get_one(Account, account_id)

points.watch()

current = sign_in.confirmed_account(house.database, house.directory, account)
merchant = house.merchants.merchant(quote.offer.merchant)
accepted = accept(house.database, quote, current, merchant, house.settings.portal.zone, house.owner)
if accepted.lease:
    house.carry_on(accepted.lease, 60)
while work_once(house.database, house.owner, house.handlers):
    pass
print(points.passed)
