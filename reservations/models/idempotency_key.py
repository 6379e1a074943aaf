from django.db import models

from reservations.models.reservation import Reservation


class IdempotencyKey(models.Model):
    """The reply to a client under a key, stored in the transaction of its effect (I6)."""

    client = models.CharField(max_length=80)
    endpoint = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, null=True, blank=True, db_index=False
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("client", "endpoint", "key"),
                name="one_answer_per_client_endpoint_and_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.status}"
