"""Other people's tables: rows that are scored are read from them, and predictions are written to them."""
