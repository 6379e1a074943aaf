from collections.abc import Collection
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from allo.accounts.models import Account
from allo.codes.typed import CodeField
from allo.outbox.fields import MailField


class AskForm(forms.Form):
    email = MailField()


class CodeForm(forms.Form):
    code = CodeField()


class NewAddressForm(forms.Form):
    email = MailField(label="New e-mail")

    def __init__(self, account: Account, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._account = account

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email == self._account.user.email:
            raise ValidationError("This is the address that your account has.")
        return email


class BothCodesForm(forms.Form):
    """The codes that are not confirmed yet."""

    old = CodeField(label="Code from the old address", required=False)
    new = CodeField(label="Code from the new address", required=False)

    def __init__(self, proved: Collection[str], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in proved:
            del self.fields[name]

    def clean(self) -> None:
        if not self.errors and not any(self.cleaned_data.values()):
            raise ValidationError("Type the code from a mail.")


class DeleteForm(forms.Form):
    """A word has to be typed, so that nobody deletes an account by accident."""

    word = forms.CharField(
        label='Type "delete"',
        max_length=40,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none"}),
    )

    def clean_word(self) -> str:
        typed: str = self.cleaned_data["word"]
        if typed.strip(" \"'.").casefold() != "delete":
            raise ValidationError('Type the word "delete", and nothing else.')
        return typed
