"""Notifiers: who hears of promotions, refusals and rollbacks through Airflow's own notifier classes."""
