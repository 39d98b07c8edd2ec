from __future__ import annotations

import pytest

from airflow_registry.modeling import environment
from airflow_registry.modeling.formats import LOADABLE_FORMATS
from airflow_registry.modeling.packages import _WATCHED, advice, mismatches


@pytest.mark.parametrize(
    ("format_", "recorded", "installed", "expected"),
    [
        ("skops", {"scikit-learn": "1.6.1"}, {"scikit-learn": "1.6.9"}, []),
        ("skops", {"scikit-learn": "1.6.1"}, {"scikit-learn": "1.7.0"}, ["scikit-learn==1.6.*"]),
        ("skops", {"skops": "0.13.0"}, {"skops": "0.16.0"}, []),
        ("skops", {"numpy": "1.26.4", "skops": "0.13"}, {"numpy": "2.4.6", "skops": "1.0"}, ["skops==0.*", "numpy==1.*"]),
        ("joblib", {"numpy": "2.0.0"}, {"numpy": "2.4.6"}, []),
        ("pickle", {"numpy": "1.26.4"}, {"numpy": "2.4.6"}, ["numpy==1.*"]),
        ("pickle", {"torch": "2.1"}, {}, []),
        ("lightgbm", {"lightgbm": "3.3.5", "numpy": "1.26.4"}, {"lightgbm": "4.7.0", "numpy": "2.4.6"}, ["lightgbm==3.*"]),
        ("xgboost", {"xgboost": "3.2.0"}, {"xgboost": "2.1.4"}, ["xgboost==3.*"]),
        ("xgboost", {"xgboost": "2.1.4"}, {"xgboost-cpu": "3.2.0"}, ["xgboost==2.*"]),
        ("onnx", {"onnxruntime": "1.20.1"}, {"onnxruntime": "1.32.0"}, []),
        ("onnx", {"onnxruntime": "1.32.0"}, {"onnxruntime": "1.20.1"}, ["onnxruntime>=1.32"]),
        ("onnx", {"onnxruntime": "1.32.0"}, {"onnxruntime-gpu": "1.20.1"}, ["onnxruntime>=1.32"]),
        ("mlflow", {"mlflow-skinny": "2.20.0"}, {"mlflow": "3.17.2"}, ["mlflow==2.*"]),
        ("mlflow", {"mlflow": "3.1.0"}, {"mlflow-skinny": "3.17.2"}, []),
        ("safetensors", {"safetensors": "0.4"}, {"safetensors": "0.8"}, []),
        ("file", {"numpy": "1.0"}, {"numpy": "2.0"}, []),
        ("skops", {}, {"scikit-learn": "1.9"}, []),
        ("skops", {"scikit-learn": "unknown"}, {"scikit-learn": "1.9"}, ["scikit-learn==.*"]),
    ],
)
def test_only_packages_that_the_format_cares_about_are_compared_and_only_as_far_as_it_cares(format_, recorded, installed, expected):
    assert [each.like for each in mismatches(format_, recorded, installed)] == expected


def test_the_advice_says_what_differs_and_what_to_do():
    found = mismatches("skops", {"scikit-learn": "1.6.1", "numpy": "1.26.4"}, {"scikit-learn": "1.9.1", "numpy": "2.4.6"})
    assert advice("lead:7", "skops", found) == (
        "lead:7 (format skops) was registered with other versions of the packages that it depends on: scikit-learn 1.6.1 at registration, "
        "1.9.1 here; numpy 1.26.4 at registration, 2.4.6 here. It may not load, or predict something else. Install what it was registered "
        "with (pip install 'scikit-learn==1.6.*' 'numpy==1.*'), or train it again with the versions that are installed here."
    )


def test_every_format_is_watched_and_what_is_watched_is_recorded():
    assert set(_WATCHED) == set(LOADABLE_FORMATS)
    assert {package for watched in _WATCHED.values() for package in watched} <= set(environment.PACKAGES)
