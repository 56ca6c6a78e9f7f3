#: What is not worth a row of the backend.
DROPPED = trace.SpanKind.PRODUCER
