from django.apps import AppConfig

from allo.site.sentences import speak


class SiteConfig(AppConfig):
    name = "allo.site"

    def ready(self) -> None:
        speak()
