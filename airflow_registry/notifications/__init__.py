"""Notifiers: who hears of promotions, refusals and rollbacks through Airflow's own notifier classes."""

from __future__ import annotations

from airflow_registry.notifications.selecting import PromotionNotifier, RefusalNotifier, RollbackNotifier

__all__ = ["PromotionNotifier", "RefusalNotifier", "RollbackNotifier"]
