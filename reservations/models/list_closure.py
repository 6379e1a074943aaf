import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse
from catalog.models import Product


class ListClosure(models.Model):
    """Staff closed the list of a product: nobody joins, until staff reopen it."""

    product = models.ForeignKey(Product, models.PROTECT)
    reason = models.CharField(max_length=200, help_text="As those who waited read it.")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    reopened_at = models.DateTimeField(null=True)
    reopened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ("-pk",)
        verbose_name = "closed waiting list"
        verbose_name_plural = "waiting lists"
        default_permissions = ()
        permissions = (("close_list", "Can close and reopen waiting lists"),)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="list_closure_has_a_reason"),
            models.CheckConstraint(
                condition=Q(reopened_at=None, reopened_by=None)
                | Q(reopened_at__isnull=False, reopened_by__isnull=False),
                name="list_reopened_by_somebody",
            ),
            models.UniqueConstraint(
                fields=("product",), condition=Q(reopened_at=None), name="list_closed_once"
            ),
        )
        triggers = (
            Refuse(name="list_closures_are_kept", operation=pgtrigger.Delete),
            Refuse(
                name="list_reopened_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__reopened_at__isnull=False),
            ),
            Refuse(
                name="list_closure_stays_as_made",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("product", "reason", "actor", "created_at"),
            ),
        )

    def __str__(self) -> str:
        return self.reason
