app = Celery("shop", broker=BROKER, backend=BROKER)
app.conf.task_protocol = 1
