"""One Airflow for all tests of this folder; it is a package so that this Airflow ends with them, before the next one starts."""
