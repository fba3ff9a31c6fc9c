"""Everything a hostile or careless merchant may do, by its name, and the tests in which it does it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTCOMES, MONEY, DOCUMENTS, NETWORK, LISTS, THINGS = (
    f"tests/hostile/test_{name}.py" for name in ("outcomes", "money", "documents", "network", "lists", "intangible")
)
FAULTS, ACP, HTTP = (
    "tests/checkout/test_every_fault.py",
    "tests/connectors/test_acp_faults.py",
    "tests/connectors/test_http.py",
)

INDEX: dict[str, tuple[str, ...]] = {
    "time-out before charging": (f"{OUTCOMES}::test_before_charging_it_is_ordered_again_under_the_same_key", f"{FAULTS}::test_a_fault_of_the_wire"),
    "time-out after charging": (f"{OUTCOMES}::test_after_charging_it_is_looked_up_and_never_ordered_again", f"{FAULTS}::test_a_fault_of_the_wire"),
    "500 after charging with idempotency": (f"{OUTCOMES}::test_after_charging_it_is_looked_up_and_never_ordered_again", f"{ACP}::test_lost_after_the_charge_it_is_read_and_not_sent_again"),
    "500 after charging without idempotency": (f"{OUTCOMES}::test_after_charging_without_idempotency_and_without_memory_nothing_is_repeated",),
    "price changed": (f"{OUTCOMES}::test_a_price_that_changed_is_asked_again_and_nothing_is_bought",),
    "price above the confirmed one": (f"{OUTCOMES}::test_a_price_above_the_confirmed_one_or_any_other_is_never_charged",),
    "wrong VAT sum": (f"{MONEY}::test_an_impossible_price_is_none", f"{MONEY}::test_lines_that_do_not_add_up_are_no_price"),
    "negative, huge, 1e400": (f"{MONEY}::test_an_impossible_price_is_none", f"{MONEY}::test_an_impossible_offer_is_left_out_and_named_and_the_good_one_stays"),
    "other currency": (f"{MONEY}::test_an_impossible_price_is_none",),
    "wrong company in the document": (f"{DOCUMENTS}::test_a_price_for_another_company_is_none", f"{DOCUMENTS}::test_a_delivery_about_another_company_is_a_persons_to_decide"),
    "pending for ever": (f"{OUTCOMES}::test_pending_for_ever_is_a_persons_to_decide",),
    "refund late": (f"{OUTCOMES}::test_a_refund_that_comes_late_is_a_difference_somebody_sees", f"{OUTCOMES}::test_a_refusal_that_comes_late_costs_nothing"),
    "non-PDF or executable under a PDF name": (f"{DOCUMENTS}::test_what_is_not_what_it_is_called_is_not_kept", f"{DOCUMENTS}::test_a_purchase_of_such_a_document_charges_nothing_and_says_why"),
    "PDF with JavaScript": (f"{DOCUMENTS}::test_a_pdf_that_acts_is_kept_as_it_is_and_never_opened_by_us",),
    "empty": (f"{DOCUMENTS}::test_what_is_not_what_it_is_called_is_not_kept", f"{DOCUMENTS}::test_a_purchase_of_such_a_document_charges_nothing_and_says_why"),
    "cut short": (f"{DOCUMENTS}::test_what_is_not_what_it_is_called_is_not_kept", f"{DOCUMENTS}::test_a_connection_cut_in_the_middle_keeps_nothing"),
    "wrong hash": (f"{DOCUMENTS}::test_another_hash_than_announced_is_not_kept",),
    "endless body": (f"{NETWORK}::test_an_answer_without_end_ends_in_time_and_in_memory", f"{NETWORK}::test_an_order_answered_without_end_is_looked_up_and_made_once", f"{DOCUMENTS}::test_a_document_without_end_keeps_nothing"),
    "gzip bomb": (f"{NETWORK}::test_an_answer_without_end_ends_in_time_and_in_memory",),
    "slow drip": (f"{NETWORK}::test_an_answer_without_end_ends_in_time_and_in_memory", f"{NETWORK}::test_a_proxy_that_drips_ends_in_time"),
    "redirects to another host, to file:, to 169.254.169.254 and to private addresses": (f"{NETWORK}::test_a_redirection_elsewhere_is_not_followed", f"{HTTP}::test_credentials_do_not_follow_a_redirection_to_another_host"),
    "DNS answers that change": (f"{NETWORK}::test_dns_that_changes_between_the_check_and_the_connection_changes_nothing", f"{NETWORK}::test_a_public_name_that_leads_inside_is_not_contacted"),
    "links with javascript:": (f"{LISTS}::test_a_link_that_is_no_page_is_no_delivery", f"{LISTS}::test_a_purchase_that_brings_such_a_link_is_a_persons_to_decide"),
    "HTML in titles": (f"{LISTS}::test_html_in_a_title_is_text_on_every_page", f"{LISTS}::test_html_in_a_refusal_a_stage_or_a_row_is_text"),
    "file names with paths": (f"{DOCUMENTS}::test_a_name_with_a_path_is_a_name_on_every_page", f"{DOCUMENTS}::test_a_files_name_leads_nowhere_and_ends_as_its_bytes_are"),
    "duplicate ids": (f"{LISTS}::test_duplicate_ids_are_one_offer_and_reported",),
    "50,000 offers": (f"{LISTS}::test_50_000_offers_are_read_page_by_page_and_never_held_together", "tests/connectors/test_acp_feed.py::test_memory_does_not_grow_with_the_feed"),
    "endless cursor": (f"{LISTS}::test_an_endless_cursor_ends", "tests/connectors/test_declared.py::test_an_endless_list_ends_and_a_next_page_elsewhere_is_not_read"),
    "login page instead of JSON": (f"{LISTS}::test_a_page_instead_of_a_list_leaves_what_was_on_sale", f"{OUTCOMES}::test_a_merchant_in_trouble_keeps_what_was_typed_and_its_catalogue"),
    "401, 429, 503": (f"{OUTCOMES}::test_401_429_and_503_at_the_order", f"{OUTCOMES}::test_a_merchant_in_trouble_keeps_what_was_typed_and_its_catalogue"),
    "never: a second purchase": (f"{OUTCOMES}::test_after_charging_it_is_looked_up_and_never_ordered_again", "tests/checkout/test_bad_input.py::test_a_confirmation_sent_again_and_again_is_one_order"),
    "never: a leaked key to another host": (f"{NETWORK}::test_a_redirection_elsewhere_is_not_followed", f"{NETWORK}::test_a_document_elsewhere_is_not_fetched_and_our_key_not_shown"),
    "never: a byte run or shown as HTML": (f"{DOCUMENTS}::test_a_pdf_that_acts_is_kept_as_it_is_and_never_opened_by_us", f"{LISTS}::test_a_page_that_shows_it_all_the_same_runs_no_script"),
    "never: one slow merchant slowing the others": (f"{OUTCOMES}::test_one_slow_merchant_slows_no_other", "tests/test_fairness.py::test_a_merchant_that_hangs_leaves_half_of_the_threads_to_the_others"),
    "a physical thing in the feed": (f"{THINGS}::test_in_the_feed_it_is_left_out_and_named",),
    "a physical thing at the quote": (f"{THINGS}::test_at_the_price_it_is_refused_and_the_journal_says_why",),
    "a physical thing after fulfilment": (f"{THINGS}::test_after_the_order_it_is_a_persons_to_decide_and_the_dispute_says_why",),
}  # fmt: skip


@cache
def proofs_in(path: str) -> frozenset[str]:
    """The names of a file's tests that assert or expect something."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    )


@pytest.mark.parametrize("item", INDEX)
def test_every_misdeed_has_its_test(item):
    for proof in INDEX[item]:
        path, _, name = proof.partition("::")
        assert name in proofs_in(path), proof
