"""Django admin of what tracing keeps in the relational store."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from tracing.models import DeadLetter, Media, MediaLink, Model, PricingTier


class PricingTierInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = PricingTier
    extra = 0


@admin.register(Model)
class ModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["name", "project", "provider", "match_pattern", "tokenizer", "checked_on"]
    list_filter = ["provider"]
    list_select_related = ["project"]
    search_fields = ["name", "match_pattern"]
    raw_id_fields = ["project"]
    inlines = [PricingTierInline]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.save(update_fields=["updated_at"])  # tells ingestion that a tier has changed


class MediaLinkInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = MediaLink
    extra = 0
    raw_id_fields = ["project"]


@admin.register(Media)
class MediaAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["media_id", "project", "content_type", "content_length", "uploaded_at"]
    list_filter = ["content_type"]
    list_select_related = ["project"]
    search_fields = ["media_id"]
    raw_id_fields = ["project"]
    inlines = [MediaLinkInline]


@admin.register(DeadLetter)
class DeadLetterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["created_at", "project", "kind", "source", "item_id", "reason", "attempts", "replayed_at"]
    list_filter = ["kind", "source"]
    list_select_related = ["project"]
    search_fields = ["item_id", "reason"]
    raw_id_fields = ["project"]
