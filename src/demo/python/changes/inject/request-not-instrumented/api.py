del FastAPIInstrumentor.instrument_app

# FastAPI makes server spans of its own where nobody else does.
app = FastAPI(lifespan=lifespan, telemetry={"tracing": False})
