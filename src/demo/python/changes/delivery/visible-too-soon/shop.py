app = Celery("shop", broker=BROKER, backend=BROKER)
app.conf.task_acks_late = True
app.conf.broker_transport_options = {"visibility_timeout": 1}
