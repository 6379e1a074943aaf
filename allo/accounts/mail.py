"""The mail with codes; its templates are in `templates/mail/`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from allo.accounts.flow import is_staffs
from allo.codes import services as codes
from allo.outbox.kinds import register

Facts = Mapping[str, Any]


def of_sign_in(context: Facts) -> Facts:
    facts = of_new_address(context)
    if "code" not in facts:
        return facts
    page = f"{settings.SITE_URL}{reverse('accounts:link')}"
    return {**facts, "link": f"{page}?key={facts['key']}"}


def of_new_address(context: Facts) -> Facts:
    """A mail to one of the staff says where they sign in, and has no code."""
    facts = codes.facts(context)
    if (row := facts["row"]) and is_staffs(row.email):
        return {"row": row, "staff": f"{settings.SITE_URL}{reverse('admin:login')}"}
    return facts


def of_deletion(context: Facts) -> Facts:
    return {"at": datetime.fromisoformat(context["at"])}


register("account_deleted", of_deletion)
register("sign_in_code", of_sign_in)
register("old_address_code", codes.facts)
register("new_address_code", of_new_address)
