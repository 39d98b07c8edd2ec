"""From an Airflow connection and an Airflow context to the registry."""
