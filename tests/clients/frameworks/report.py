"""`python -m tests.clients.frameworks.report`: the table in docs/integrations.md, from what the last run found."""

from tests.clients.frameworks import table

if __name__ == "__main__":
    document = table.DOCUMENT.read_text(encoding="utf-8")
    table.DOCUMENT.write_text(table.written(document, table.kept()), encoding="utf-8")
