import pytest
import shop

pytest_plugins = ["celery.contrib.pytest"]


@pytest.fixture
def celery_app():
    return shop.worker_app


@pytest.fixture
def celery_worker_parameters():
    return {"perform_ping_check": False}
