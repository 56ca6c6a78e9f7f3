FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])


@app.middleware("http")
async def report_visit(request, call_next):
    """Has each request counted."""
    publishing.publish(tasks.report_day)
    return await call_next(request)
