"""What other parts may listen to."""

from __future__ import annotations

from django.dispatch import Signal

#: sent with `project_id` once a project was marked deleted; whoever keeps data of it removes them
project_deleted = Signal()
