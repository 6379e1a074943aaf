"""`{% once %}…{% endonce %}`: what is the same in each page, such as links to style sheets, is
rendered once in each process. It depends on the settings alone: inside there are no variables."""

from django import template
from django.template import Context, Node, NodeList
from django.template.base import Parser, Token
from django.utils.safestring import SafeString

register = template.Library()


class OnceNode(Node):
    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self._rendered: SafeString | None = None

    def render(self, context: Context) -> SafeString:
        if self._rendered is None:
            nobodys = Context()
            assert context.template, "it is being rendered"
            # Its engine finds the templates that are included.
            with nobodys.bind_template(context.template):
                self._rendered = self.nodelist.render(nobodys)
        return self._rendered


@register.tag
def once(parser: Parser, _token: Token) -> OnceNode:
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    return OnceNode(nodelist)
