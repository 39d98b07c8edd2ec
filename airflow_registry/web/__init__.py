"""Pages of the registry, as one ASGI application. They know nothing of Airflow: who may look is decided by the guard they are given."""
