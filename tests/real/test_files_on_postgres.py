"""Files that employees give, on PostgreSQL: the same two clicks, the same erasure, and sweepers at one moment."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from portal import clock
from portal.checkout import upload_rounds
from portal.checkout.quotes import QuoteRow
from portal.checkout.uploads import UploadRow
from tests import test_deepl_two_clicks as clicks
from tests.real.postgres import Postgres

shop, company = clicks.shop, clicks.company
test_a_document_is_translated_charged_and_erased = clicks.test_a_document_is_translated_charged_and_erased
test_what_nobody_bought_is_erased = clicks.test_what_nobody_bought_is_erased_and_can_be_given_again
test_another_persons_file_is_nobodys = clicks.test_another_persons_file_is_nobodys


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """Every installation of this file is on PostgreSQL."""
    return postgres.url(postgres.make())


def test_two_sweepers_and_somebody_who_gives_his_file_again(buyer, installation):
    clicks.ask(buyer)
    # What is there has grown old, and not the clock: of a file that arrives now, the disk says that it is young.
    long_ago = clock.now() - timedelta(hours=3)
    with installation.database.transaction() as session:
        session.execute(update(UploadRow).values(kept_at=long_ago, used_at=long_ago))
        session.execute(update(QuoteRow).values(expires_at=long_ago))
    [name] = clicks.files_of(installation)
    os.utime(installation.uploads.folder / name, (long_ago.timestamp(), long_ago.timestamp()))
    with ThreadPoolExecutor(4) as pool:
        sweeps = [pool.submit(upload_rounds.sweep, installation.database, installation.uploads) for _each in range(4)]
        token = clicks.ask(buyer)
        for each in sweeps:
            each.result()
    assert token
    assert len(clicks.files_of(installation)) == 1
    upload_rounds.sweep(installation.database, installation.uploads)
    assert len(clicks.files_of(installation)) == 1
