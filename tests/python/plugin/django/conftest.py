import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django
import pytest
from opentelemetry.instrumentation.django import DjangoInstrumentor

DjangoInstrumentor().instrument()
django.setup()

pytest_plugins = ["celery.contrib.pytest"]


@pytest.fixture
def celery_app():
    import shop

    return shop.worker_app


@pytest.fixture
def celery_worker_parameters():
    return {"perform_ping_check": False}
