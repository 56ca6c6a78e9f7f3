import os
import sys


def test_nothing_was_asked_for():
    assert not [name for name in sys.modules if name.startswith(("opentelemetry", "tracelink_cli.testing"))]
    assert not [name for name in os.environ if name.startswith("OTEL_")]
