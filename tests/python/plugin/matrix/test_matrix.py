import os
import time

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider


def test_flask(app, worker, tracelink):
    web = Flask("web")
    FlaskInstrumentor().instrument_app(web)
    web.post("/double")(lambda: {"task": app.tasks["double"].delay(2).id})
    assert web.test_client().post("/double").status_code == 200
    tracelink.assert_one_trace(services=["pytest"], spans=["POST /double", "run/double"])
    tracelink.assert_no_broken_traces()
    tracelink.assert_handoffs(1)

    handoff, = tracelink.handoffs
    assert handoff.whole and handoff.task == "double"
    assert set(handoff.stations.values()) == {"intact"}
    assert tracelink.findings == ()
    with pytest.raises(AttributeError):
        handoff.task = "another"
    root, = tracelink.traces[0].roots
    assert (root.kind, root.attributes["http.method"]) == ("server", "POST")
    with pytest.raises(AssertionError, match="no span of the service billing"):
        tracelink.assert_one_trace(services=["billing"])
    with pytest.raises(AssertionError, match="expected 2 whole hand-offs, saw 1"):
        tracelink.assert_handoffs(2)


@pytest.mark.asyncio
async def test_asyncio(app, worker, tracelink):
    api = FastAPI()
    FastAPIInstrumentor.instrument_app(api)

    @api.post("/double")
    async def double():
        return {"task": app.tasks["double"].delay(3).id}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://web") as client:
        assert (await client.post("/double")).status_code == 200
    tracelink.assert_handoffs(1)
    tracelink.assert_one_trace(spans=["POST /double"])


def test_a_condition_is_waited_for(app, worker, tracelink):
    with trace.get_tracer("test").start_as_current_span("two at once"):
        app.tasks["double"].delay(4)
        app.tasks["double"].delay(5)
    tracelink.wait_for(lambda: sum(span.kind == "consumer" for span in tracelink.spans) == 2, timeout=20)
    assert len(tracelink.traces) == 1
    before = time.monotonic()
    with pytest.raises(AssertionError, match="does not hold after 0.3 s"):
        tracelink.wait_for(lambda: len(tracelink.handoffs) == 3, timeout=0.3)
    assert time.monotonic() - before < 5


def test_what_began_before_is_of_the_test_before(tracelink):
    assert (tracelink.traces, tracelink.handoffs) == ((), ())
    with pytest.raises(AssertionError, match="no span came"):
        tracelink.assert_no_broken_traces()
    tracelink.assert_handoffs(0)


def test_the_environment_is_for_children_too():
    assert os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].startswith("http://127.0.0.1:")
    assert os.environ["OTEL_TRACES_EXPORTER"] == "otlp"
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
