"""Pages of dashboards: reading them (`page`), one chart (`figures`), and making them."""
