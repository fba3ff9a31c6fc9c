"""Charges to the operator: the outbox, its worker, capture, void, refunds, write-offs, disputes, the ledger."""
