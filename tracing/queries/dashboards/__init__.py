"""Dashboards: what a chart shows (`definition`), its figures (`figures`), the built-in ones (`presets`), the rows."""
