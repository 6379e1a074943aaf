"""The waiting list: who waits for a product, in which order, and what came of it."""

import uuid
from typing import Self

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from allo.outbox.addresses import LONGEST
from allo.postgresql.triggers import Refuse, RefuseUnless
from catalog.models import Product
from inventory.models import Warehouse
from reservations.models.reservation import OF_LIST, Reservation

# On the list: the address is confirmed, there is no offer yet, and it has not ended.
OPEN = Q(confirmed_at__isnull=False, offer__isnull=True, ended_at__isnull=True)
# An entry that has ended can only get another address of the person.
CHANGES_ITS_END = (
    "num_nonnulls(OLD.offer_id, OLD.ended_at) > 0"
    " AND (OLD.offer_id, OLD.ended_at, OLD.ended_as, OLD.confirmed_at, OLD.waiting_since)"
    " IS DISTINCT FROM"
    " (NEW.offer_id, NEW.ended_at, NEW.ended_as, NEW.confirmed_at, NEW.waiting_since)"
)
IN_THE_SHOP = (
    "EXISTS (SELECT FROM catalog_product WHERE id = NEW.product_id"
    " AND published_at <= clock_timestamp()"
    " AND coalesce(opens_at, '-infinity') <= clock_timestamp())"
)
IS_OPEN = "{0}.confirmed_at IS NOT NULL AND {0}.offer_id IS NULL AND {0}.ended_at IS NULL"


class WaitingEntryQuerySet(QuerySet["WaitingEntry"]):
    def open(self) -> Self:
        return self.filter(OPEN)

    def in_order(self) -> Self:
        """The first on the list first."""
        return self.order_by("waiting_since")

    def with_offer(self) -> Self:
        """Joins what `state` and a page need, but not the category of the product."""
        return self.select_related("product", "warehouse", "offer__inventory__warehouse")


class WaitingEntry(models.Model):
    """One person's place on the list of a product. An offer is a reservation of the holder
    `list:<entry>`; what becomes of it is what became of the entry."""

    class End(models.TextChoices):
        """How it ended without an offer."""

        LEFT = "left"
        CLOSED = "closed"  # the list was

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed"
        WAITING = "waiting"
        OFFERED = "offered"
        BOUGHT = "bought"
        DECLINED = "declined"
        LAPSED = "lapsed"
        TAKEN_BACK = "taken_back", "Taken back by the shop"
        LEFT = "left"
        CLOSED = "closed", "List closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, models.PROTECT, db_index=False)
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, null=True, blank=True, db_index=False, help_text="Empty: any."
    )
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    exactly = models.BooleanField(help_text="Otherwise fewer units are offered too.")
    # How many units have to be available in one row, so that it can get an offer.
    needs = models.GeneratedField(
        expression=Case(When(exactly=True, then=F("quantity")), default=Value(1)),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
    )
    email = models.CharField(max_length=LONGEST)
    email_key = models.CharField(
        max_length=LONGEST, help_text="The person: the same for all spellings of the address."
    )
    network = models.CharField(max_length=43, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    confirmed_at = models.DateTimeField(null=True, help_text="When it was put on the list.")
    # Usually the same. Those who kept a place from a waiting room have an earlier `waiting_since`:
    # its end, in the order of the room. Until it is confirmed, two entries may claim the same.
    waiting_since = models.DateTimeField(null=True, help_text="The place on the list.")
    ended_at = models.DateTimeField(null=True)
    ended_as = models.CharField(max_length=6, choices=End, blank=True, default="", db_default="")
    # W2. A reservation is one entry's offer, and an entry has one offer in its life.
    offer = models.OneToOneField(Reservation, models.PROTECT, null=True)
    offered_at = models.DateTimeField(null=True)
    offered_units = models.PositiveIntegerField(null=True)
    # Whether the mail about the offer's end was written, if there is one.
    followed_up = models.BooleanField(default=False, db_default=False, editable=False)

    objects = WaitingEntryQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        default_permissions = ("view",)
        verbose_name_plural = "waiting entries"
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="entry_quantity_gt_zero"),
            # W3. It ends either by itself or with its offer.
            models.CheckConstraint(
                condition=Q(offer=None) | Q(confirmed_at__isnull=False, ended_at=None),
                name="offered_while_waiting",
            ),
            models.CheckConstraint(
                condition=Q(offer=None, offered_at=None, offered_units=None)
                | Q(
                    offer__isnull=False,
                    offered_at__isnull=False,
                    offered_units__gte=F("needs"),
                    offered_units__lte=F("quantity"),
                ),
                name="offered_what_it_takes",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_as="")
                | Q(ended_at__isnull=False, ended_as__in=("left", "closed")),
                name="entry_end_known",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at=None) | Q(waiting_since__isnull=False),
                name="confirmed_has_a_place",
            ),
            # W5. The order of the list is an order by it.
            models.UniqueConstraint(
                fields=("product", "waiting_since"),
                condition=Q(confirmed_at__isnull=False),
                name="place_is_of_one_entry",
            ),
            # W4
            models.UniqueConstraint(
                fields=("email_key", "product"),
                condition=OPEN,
                name="one_open_entry_per_person_and_product",
            ),
        )
        indexes = (
            # The least that an open entry needs, of any warehouse or of one, without reading them
            # all. PostgreSQL finds no order in an index behind a column that is NULL.
            models.Index(
                fields=("product", "needs"),
                condition=OPEN & Q(warehouse=None),
                name="open_entry_anywhere",
            ),
            models.Index(
                fields=("product", "warehouse", "needs"), condition=OPEN, name="open_entry_by_needs"
            ),
            models.Index(fields=("email_key", "-created_at"), name="entry_by_person"),
            models.Index(
                fields=("offered_at",),
                condition=Q(offer__isnull=False, followed_up=False),
                name="offer_to_follow_up",
            ),
            models.Index(
                fields=("created_at",), condition=Q(confirmed_at=None), name="entry_unconfirmed"
            ),
        )
        triggers = (
            Refuse(
                name="entry_end_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(CHANGES_ITS_END),
            ),
            Refuse(
                name="place_is_kept",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.confirmed_at IS NOT NULL AND (OLD.confirmed_at, OLD.waiting_since)"
                    " IS DISTINCT FROM (NEW.confirmed_at, NEW.waiting_since)"
                ),
            ),
            Refuse(
                name="entry_stays_as_made",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "product", "warehouse", "quantity", "exactly", "created_at"
                ),
            ),
            # W8, but for closed lists: nobody waits on those.
            RefuseUnless(
                name="offered_while_in_the_shop",
                operation=pgtrigger.UpdateOf("offer_id"),  # type: ignore[no-untyped-call]
                fact=IN_THE_SHOP,
            ),
            Refuse(
                name="open_entry_is_kept",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition(IS_OPEN.format("OLD")),
            ),
        )

    def __str__(self) -> str:
        """Without the address, as the admin's log keeps this for ever."""
        return f"{self.amount} of {self.product}"

    @property
    def amount(self) -> str:
        if self.quantity == 1:
            return "1"
        return f"{'exactly' if self.exactly else 'up to'} {self.quantity}"

    @property
    def holder(self) -> str:
        """Of its offer."""
        return f"{OF_LIST}{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.WAITING

    @property
    def state(self) -> State:
        """An offer past its time counts as offered until it has expired."""
        if self.ended_as:
            return self.State(self.ended_as)
        if self.offer is not None:
            return self._state_of(self.offer)
        return self.State.WAITING if self.confirmed_at else self.State.UNCONFIRMED

    def _state_of(self, offer: Reservation) -> State:
        if offer.withdrawn:
            return self.State.TAKEN_BACK
        return {
            Reservation.Status.PENDING: self.State.OFFERED,
            Reservation.Status.CONFIRMED: self.State.BOUGHT,
            Reservation.Status.RELEASED: self.State.DECLINED,
            Reservation.Status.EXPIRED: self.State.LAPSED,
        }[Reservation.Status(offer.status)]
