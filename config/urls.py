"""The site map."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from config import api

urlpatterns = [
    path("api/public/", include("accounts.api.urls")),
    path("api/public/", include("tracing.api.urls")),
    re_path(r"^/*api(?:/[\s\S]*)?\Z", api.not_found),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("tracing.urls")),
]

handler400 = "config.views.bad_request"
handler404 = "config.views.not_found"
handler403 = "config.views.forbidden"
handler429 = "config.views.too_many_requests"
handler500 = "config.views.failed"
