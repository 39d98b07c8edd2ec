"""The model registry that lives in Apache Airflow."""
