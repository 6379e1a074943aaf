from django import template
from django.template import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def absolute(context: Context, url: str) -> str:
    """With scheme and host, as programs elsewhere need it; files may be on another host."""
    address: str = context["request"].build_absolute_uri(url)
    return address
