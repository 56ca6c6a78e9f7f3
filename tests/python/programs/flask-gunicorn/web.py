from flask import Flask
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor

from tasks import make_thumbnail

# tracelink: before-app
app = Flask(__name__)
FlaskInstrumentor().instrument_app(app)
CeleryInstrumentor().instrument()
# tracelink: after-app


@app.post("/images/<name>/thumbnail")
def create(name):
    job = make_thumbnail.delay(name, 128)
    return {"job": job.id}, 202
