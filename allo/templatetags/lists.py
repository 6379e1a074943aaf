"""The filters of the admin's lists."""

from django import template
from django.contrib.admin.views.main import ChangeList

from allo.admin_kit.filters import Filters, filters_of

register = template.Library()


@register.simple_tag
def list_filters(changelist: ChangeList) -> Filters:
    return filters_of(changelist)
