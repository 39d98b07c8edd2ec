"""What people may say about versions and models, and how it stands. The gate asks `asked`, `waivers_of` and `standing`."""

from __future__ import annotations

from airflow_registry.service.people.standing import asked, last_editor_of, standing, waivers_of

__all__ = ["asked", "last_editor_of", "standing", "waivers_of"]
