"""Contacts, orders, and the money of orders."""

from checkout.models.address import Address
from checkout.models.contact import Contact
from checkout.models.invoice import InvoiceCounter
from checkout.models.order import Order, OrderQuerySet
from checkout.models.order_parts import OrderEvent, OrderLine
from checkout.models.payment import Charge, Payment, Refund

__all__ = [
    "Address",
    "Charge",
    "Contact",
    "InvoiceCounter",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderQuerySet",
    "Payment",
    "Refund",
]
