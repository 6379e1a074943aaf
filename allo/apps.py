import gc

from django.apps import AppConfig

# What Django's set-up loads stays. To look through it for garbage again and again would take a
# third of the set-up. Nothing else loads this module, and `allo.staff.apps`, the last to load
# anything, turns this on again.
gc.disable()


class AlloConfig(AppConfig):
    name = "allo"
