import gc

from django.apps import AppConfig

# What Django's set-up loads stays, and to look through it for garbage again and again would take a
# fifth of it. Nothing else loads this module; `allo.staff.apps`, the last to load anything, ends it.
gc.disable()


class AlloConfig(AppConfig):
    name = "allo"
