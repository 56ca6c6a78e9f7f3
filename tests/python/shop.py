"""A small shop on the real Celery, for tests that look at its broker.

Usage: shop.py URL worker [celery worker's arguments]
       shop.py URL publish TASK COUNT [{"option": of apply_async}]

`publish` prints the ids. SHOP_CONF is a JSON object of Celery's settings.
"""

import json
import os
import sys
import time

from celery import Celery

url, role, *rest = sys.argv[1:]
app = Celery("shop", broker=url, backend=url)
app.conf.update(broker_connection_retry_on_startup=True, worker_enable_remote_control=True)
app.conf.update(json.loads(os.environ.get("SHOP_CONF", "{}")))


@app.task(name="shop.quick")
def quick():
    return "done"


@app.task(name="shop.slow")
def slow():
    time.sleep(2)


@app.task(name="shop.fails")
def fails():
    raise KeyError("order_1")


if role == "worker":
    app.worker_main(["worker", "--loglevel=warning", "--without-gossip", "--without-mingle", *rest])
else:
    name, count, *options = rest
    options = json.loads(options[0]) if options else {}
    for _ in range(int(count)):
        print(app.tasks[name].apply_async(**options).id)
