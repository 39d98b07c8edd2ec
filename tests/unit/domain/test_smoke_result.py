from airflow_registry.domain.smoke import SmokeResult


def test_it_is_fine_when_nothing_went_wrong():
    assert SmokeResult(loaded_in_s=0.2, predicted_rows=10).is_fine
    assert not SmokeResult(problem="It did not load.").is_fine
