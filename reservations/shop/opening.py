"""A product's opening, for a shopper's calendar."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog import openings
from catalog.models import Product
from catalog.slugs import follow_renames


@require_safe
@always_fresh
@follow_renames
@shared(Sharing())
def opening(request: HttpRequest, slug: str) -> HttpResponse:
    product = Product.objects.published().filter(slug=slug).first()
    if product is None or product.opens_at is None:
        raise Http404("no such opening")
    address = request.build_absolute_uri(product.get_absolute_url())
    entry = openings.calendar(product, product.opens_at, address)
    return HttpResponse(entry, content_type=openings.MEDIA_TYPE)
