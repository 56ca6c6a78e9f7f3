import os

SECRET_KEY = "of the tests"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "shop"
MIDDLEWARE: list[str] = []
BROKER_URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
