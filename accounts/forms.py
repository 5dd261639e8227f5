"""What people type into the pages of accounts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import NAME_MAX_LENGTH, Project, User
from accounts.roles import Role

ROLE_LABELS = {
    Role.OWNER: _("Owner"),
    Role.ADMIN: _("Admin"),
    Role.MEMBER: _("Member"),
    Role.VIEWER: _("Viewer"),
    Role.NONE: _("None"),
}
#: the choice that lets the organization's role count
INHERIT = "INHERIT"
NAME_MIN_LENGTH = 3


def grantable(own_role: Role) -> list[tuple[str, Any]]:
    """The roles that somebody with this role may give: none above their own."""
    return [(role.value, label) for role, label in ROLE_LABELS.items() if own_role.allows(role)]


class SignUpForm(SignupForm):  # type: ignore[misc]
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["name", "email", "password1"]

    def save(self, request: Any) -> User:
        user: User = super().save(request)
        return user


class NameForm(forms.Form):
    """Organizations and projects."""

    name = forms.CharField(
        label=_("Name"),
        min_length=NAME_MIN_LENGTH,
        max_length=NAME_MAX_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class UserForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX_LENGTH,
        required=False,
        help_text=_("Shown to the other members instead of your e-mail address."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class DeleteProjectForm(forms.Form):
    """Asks for the project's name, so that nobody deletes the wrong one."""

    confirmation = forms.CharField(
        label=_("Name of the project"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._project = project

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._project.name:
            raise forms.ValidationError(_("This is not the name of the project."))
        return typed


class ApiKeyForm(forms.Form):
    note = forms.CharField(
        label=_("Note"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": _("Where the key is used"), "autocomplete": "off"}),
    )
    expires = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        choices=[
            (0, _("Never")),
            (7, _("In 7 days")),
            (30, _("In 30 days")),
            (90, _("In 90 days")),
            (365, _("In a year")),
        ],
        empty_value=None,
        required=False,
    )

    @property
    def expires_at(self) -> datetime | None:
        days: int | None = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=days) if days else None


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.TypedChoiceField(label=_("Role"), coerce=Role, initial=Role.MEMBER)
    project = forms.ModelChoiceField(
        label=_("One project"),
        queryset=Project.objects.none(),
        required=False,
        empty_label=_("No exception"),
        help_text=_("Where the role is another one."),
    )
    project_role = forms.TypedChoiceField(label=_("Role there"), coerce=Role, empty_value=None, required=False)

    def __init__(self, *args: Any, own_role: Role, projects: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role, project, project_role = (self.fields[name] for name in ("role", "project", "project_role"))
        role.choices = grantable(own_role)  # type: ignore[attr-defined]
        project.queryset = projects  # type: ignore[attr-defined]
        project_role.choices = [("", "–"), *grantable(own_role)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(cleaned.get("project")) != bool(cleaned.get("project_role")):
            self.add_error("project_role", _("Choose the project and the role there, or neither."))
        return cleaned


class RoleForm(forms.Form):
    role = forms.TypedChoiceField(label=_("Role"), coerce=Role)

    def __init__(self, *args: Any, own_role: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = grantable(own_role)  # type: ignore[attr-defined]


class ProjectRoleForm(forms.Form):
    role = forms.TypedChoiceField(label=_("Role in this project"), coerce=lambda v: None if v == INHERIT else Role(v))

    def __init__(self, *args: Any, own_role: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(INHERIT, _("As in the organization")), *grantable(own_role)]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]
