app = Celery("shop", broker=BROKER, backend=BROKER)
app.conf.beat_schedule = {"report": {"task": "report_day", "schedule": 1.0}}
