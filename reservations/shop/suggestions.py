"""Suggestions while somebody types a search."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.forms import GridForm
from catalog.suggestions import suggested

# Not among the popular pages: there are as many as there are beginnings of words.
SUGGESTIONS = Sharing(query={"q": ""}, anyone=True, is_rare=lambda _: True)


@require_safe
@shared(SUGGESTIONS)
def suggestions(request: HttpRequest) -> HttpResponse:
    form = GridForm({"q": request.GET.get("q", "")})
    if not form.is_valid():
        raise Http404("no such search")
    context = {"suggestions": suggested(form.cleaned_data["q"])}
    return render(request, "catalog/suggestions.html", context)
