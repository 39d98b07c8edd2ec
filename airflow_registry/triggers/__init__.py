"""What waits in Airflow's triggerer: the bell of the consumers, and the wait for a version."""
