from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from allo.web.names import name_is_visible

# In Markdown, far longer than the longest of them.
LONGEST = 20_000


class Page(models.Model):
    """A page that staff write. There is one for each slug, in every shop: see
    `allo.site.first_words`."""

    class Slug(models.TextChoices):
        ABOUT = "about"
        DELIVERY = "delivery"
        RETURNS = "returns"
        QUESTIONS = "questions"
        CONTACT = "contact"
        TERMS = "terms"

    slug = models.SlugField("address", choices=Slug, unique=True, editable=False)
    title = models.CharField(max_length=80, validators=[name_is_visible])
    body = models.TextField(
        "text",
        max_length=LONGEST,
        help_text="In Markdown: ## for a heading, - for a list, [words](address) for a link. "
        "HTML is shown as it is written.",
    )
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("pk",)
        default_permissions = ("view", "change")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    slug__in=["about", "delivery", "returns", "questions", "contact", "terms"]
                ),
                name="page_of_every_shop",
            ),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse(self.slug)
