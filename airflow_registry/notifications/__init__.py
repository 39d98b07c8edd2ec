"""Notifiers: who hears of promotions, refusals, rollbacks and questions through Airflow's own notifier classes."""

from __future__ import annotations

from airflow_registry.notifications.selecting import PendingNotifier, PromotionNotifier, RefusalNotifier, RollbackNotifier

__all__ = ["PendingNotifier", "PromotionNotifier", "RefusalNotifier", "RollbackNotifier"]
