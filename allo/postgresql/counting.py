"""A count that reads no more rows than it is about to say."""

from django.db.models import IntegerField, Subquery


class UpTo(Subquery):
    """How many rows a query finds, up to its limit."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS found)"
    output_field = IntegerField()
