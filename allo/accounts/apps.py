from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "allo.accounts"
