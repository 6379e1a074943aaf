from django import template

from catalog import search

register = template.Library()


@register.simple_tag
def longest_search() -> int:
    """The characters that a search may have."""
    return search.LONGEST
