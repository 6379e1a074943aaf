"""The bank of `make up`: a separate process that simulates a provider of payments.

It speaks the part of Stripe's protocol that `checkout.payments.stripe` uses, keeps its own books,
and has the page on which a shopper pays. Real banks fail in many ways: its desk, and calls under
`/control/`, make each of these failures happen. It imports nothing of the shop.
"""
