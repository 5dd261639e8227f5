"""What must follow every change of accounts, whoever makes it: the pages, the API, the admin site."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import user_signed_up
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import actions
from accounts.access import forget_keys
from accounts.audit import Actor
from accounts.bootstrap import forget_welcome
from accounts.models import ApiKey, Project, User


@receiver([post_save, post_delete], sender=ApiKey)
@receiver([post_save, post_delete], sender=Project)
def _forget_keys(**_: Any) -> None:
    forget_keys()
    # Again after the commit: until then another thread may have read and cached the old row.
    transaction.on_commit(forget_keys)


@receiver(user_logged_in)
def _forget_welcome(**_: Any) -> None:
    forget_welcome()


@receiver(user_signed_up)
def _complete_sign_up(request: HttpRequest, user: User, **_: Any) -> None:
    actions.complete_sign_up(user, actor=Actor(user.pk, user.email, Actor.of(request).ip))
