"""Static files: hashed names that browsers may keep for ever, compressed once at set-up."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's manifest storage whose ES modules may import each other by relative path."""

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        # Before `collectstatic` has run (tests, a fresh checkout) there is no manifest: plain names then, not an error.
        if not self.hashed_files:
            return name
        return super().stored_name(name)  # type: ignore[no-any-return]
