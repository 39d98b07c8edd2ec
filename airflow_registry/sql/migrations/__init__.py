"""Alembic migrations, one reviewed file per change."""
