"""Hypothesis without a stop-watch: a busy machine is slow now and then, which says nothing about the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
