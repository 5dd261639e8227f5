from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import path

from accounts.models import Organization, Project, User
from tracing.models import DeadLetter, Media, MediaLink, Model, PricingTier

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [path("admin/", admin.site.urls)]


@pytest.mark.parametrize("model", [Model, Media, DeadLetter])
def test_admin_lists_and_forms_render(model, rf: RequestFactory):
    project = Project.objects.create(name="Admin", organization=Organization.objects.create(name="Admin"))
    rows = {
        Model: Model(project=project, name="m", match_pattern="^m$"),
        Media: Media(project=project, media_id="x", sha256="x", content_type="image/png", content_length=1),
        DeadLetter: DeadLetter(project=project, kind="span", source="otlp", reason="odd", item_id="1"),
    }
    row = rows[model]
    row.save()
    PricingTier.objects.create(model=rows[Model], name="T", prices={"input": "1"}) if model is Model else None
    MediaLink.objects.create(project=project, media=row, field="input") if model is Media else None
    request = rf.get("/")
    request.user = User(email="a@example.com", is_superuser=True, is_staff=True, is_active=True)
    site = admin.site._registry[model]
    assert str(row) in {str(found) for found in site.get_queryset(request)}
    assert site.changelist_view(request).render().status_code == 200
    assert site.change_view(request, str(row.pk)).render().status_code == 200
    assert "project" in site.get_form(request, row).base_fields
