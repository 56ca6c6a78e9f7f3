del tracing, tracing.start, FastAPIInstrumentor.instrument_app


@asynccontextmanager
async def lifespan(_app):
    publishing.connect()
    yield
