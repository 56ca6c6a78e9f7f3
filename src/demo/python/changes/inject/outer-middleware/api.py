from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

del FastAPIInstrumentor.instrument_app

app = FastAPI(lifespan=lifespan, telemetry={"tracing": False})
app.add_middleware(OpenTelemetryMiddleware, exclude_spans=["receive", "send"])


# What is added last is the outermost.
@app.middleware("http")
async def report_visit(request, call_next):
    """Has each request counted."""
    publishing.publish(tasks.report_day)
    return await call_next(request)
