# gunicorn forks its workers: each sets up its own exporter.
from telemetry import setup

workers = 2


def post_fork(server, worker):
    setup("thumbnails-web")
