from django import forms

from allo.codes.typed import CodeField
from allo.outbox.fields import MailField


class AskForm(forms.Form):
    email = MailField()


class CodeForm(forms.Form):
    code = CodeField()
