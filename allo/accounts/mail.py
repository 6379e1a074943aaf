"""The mail with codes; its templates are in `templates/mail/`."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse

from allo.accounts.flow import is_staffs
from allo.codes import services as codes
from allo.outbox.kinds import register

Facts = Mapping[str, Any]


def of_sign_in(context: Facts) -> Facts:
    """To one of the staff it says where they sign in, and has no code."""
    facts = dict(codes.facts(context))
    if (row := facts["row"]) is None:
        return facts
    if is_staffs(row.email):
        return {"row": row, "staff": f"{settings.SITE_URL}{reverse('admin:login')}"}
    page = f"{settings.SITE_URL}{reverse('accounts:link')}"
    return {**facts, "link": f"{page}?key={facts['key']}"}


register("sign_in_code", of_sign_in)
