"""Everything that changes accounts: one function a change, each in its own transaction and with its audit entry."""

from accounts.actions.api_keys import NewKey, create_api_key, revoke_api_key
from accounts.actions.members import (
    add_member,
    change_role,
    remove_member,
    set_project_role,
    withdraw_invitation,
)
from accounts.actions.organizations import (
    create_organization,
    create_project,
    delete_project,
    rename_organization,
    update_project,
)
from accounts.actions.people import complete_sign_up, rename_user

__all__ = [
    "NewKey",
    "add_member",
    "change_role",
    "complete_sign_up",
    "create_api_key",
    "create_organization",
    "create_project",
    "delete_project",
    "remove_member",
    "rename_organization",
    "rename_user",
    "revoke_api_key",
    "set_project_role",
    "update_project",
    "withdraw_invitation",
]
