"""`python -m airflow_registry.cli`."""

import sys

from airflow_registry.cli.main import main

sys.exit(main())
