"""A promotion that waits for people, in a real Airflow."""
