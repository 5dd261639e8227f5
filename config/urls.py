"""The site map."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from config.api import pages, paths

urlpatterns = [
    path("api/public/openapi.json", pages.OpenApiDocument.as_view(), name="openapi-document"),
    path("api/public/", include("accounts.api.urls")),
    path("api/public/", include("tracing.api.urls")),
    path("api/public/", include("evals.api.urls")),
    path("api/public/", include("prompts.api.urls")),
    re_path(r"^/*api(?:/[\s\S]*)?\Z", paths.not_found),
    path("api-reference", pages.api_reference_start, name="api-reference-start"),
    path("api-reference/", pages.api_reference, name="api-reference"),
    path("api-reference/<slug:operation_id>/", pages.api_operation, name="api-operation"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("evals.urls")),
    path("", include("prompts.urls")),
    path("", include("tracing.urls")),
]

handler400 = "config.views.bad_request"
handler404 = "config.views.not_found"
handler403 = "config.views.forbidden"
handler429 = "config.views.too_many_requests"
handler500 = "config.views.failed"
