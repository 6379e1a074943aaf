"""The bank of `make up`: a process of its own that simulates a provider of payments.

It speaks the part of Stripe's protocol that `checkout.payments.stripe` uses, keeps books of its
own, and shows the page on which one pays. Real banks fail in many ways; its desk, and the same by
JSON under `/control/`, makes each of them happen. It knows nothing of the shop.
"""
