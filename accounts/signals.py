"""What other parts learn about accounts, and the cache of keys that must follow every change of them."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal, receiver

from accounts.access import forget_keys
from accounts.models import ApiKey, Project

#: sent with `project_id` once a project was marked deleted; whoever keeps data of it removes them
project_deleted = Signal()


@receiver([post_save, post_delete], sender=ApiKey)
@receiver([post_save, post_delete], sender=Project)
def _forget_keys(**_: Any) -> None:
    forget_keys()
    # Again after the commit: until then another thread may have read and cached the old row.
    transaction.on_commit(forget_keys)
