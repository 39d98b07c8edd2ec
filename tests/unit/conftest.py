"""Hypothesis without a stop-watch: a busy machine is slow now and then, which says nothing about the code.

In everyday runs it tries the same inputs each time, so that a commit is not red by chance; `make soak` searches for new ones.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("unit"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
