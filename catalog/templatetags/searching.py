from django import template

from catalog import search

register = template.Library()


@register.simple_tag
def longest_search() -> int:
    """How many characters a search may have."""
    return search.LONGEST
