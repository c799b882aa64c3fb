"""The report of an assessment: page, Markdown, CSV, JSON and terminal, in English and Chinese."""
