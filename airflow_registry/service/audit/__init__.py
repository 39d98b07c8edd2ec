"""The audit: anchoring its head outside the database, looking whether it was rewritten, exporting it, erasing free text from it."""
