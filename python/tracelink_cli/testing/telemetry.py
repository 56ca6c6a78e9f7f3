"""Where this process and its children send their spans.

What the application set up stays as it is. What is missing is added, and said.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Optional

#: How long what holds spans back may take to send them, in milliseconds.
FLUSH_MS = 10_000
#: What names an endpoint more precisely, and would win.
PRECISE = tuple(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in ("TRACES", "METRICS", "LOGS"))
#: What an application imports that traces itself. The package `redis` imports the API.
USED = ("opentelemetry.instrumentation", "opentelemetry.propagate", "opentelemetry.sdk.trace")


class Environment:
    """The variables by which SDKs find the receiver, for this process and its children."""

    def __init__(self, address: str) -> None:
        wanted: dict[str, Optional[str]] = dict.fromkeys(PRECISE)
        wanted["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{address}"
        wanted["OTEL_EXPORTER_OTLP_INSECURE"] = "true"
        wanted["OTEL_TRACES_EXPORTER"] = "otlp"
        if "OTEL_BSP_SCHEDULE_DELAY" not in os.environ:
            # Milliseconds that spans are held back: by default five seconds, in which a test
            # may have killed its worker.
            wanted["OTEL_BSP_SCHEDULE_DELAY"] = "100"
        self._before = {name: os.environ.get(name) for name in wanted}
        _set(wanted)

    def restore(self) -> None:
        """Sets the variables as they were."""
        _set(self._before)


def _set(variables: dict[str, Optional[str]]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class Telemetry:
    """OpenTelemetry in this process, if the application uses it at all."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._seen: Optional[Any] = None
        self._ours: Optional[Any] = None
        #: What was set up here, for the user.
        self.said: list[str] = []

    @property
    def is_used(self) -> bool:
        """Whether this process has a provider."""
        return self._seen is not None

    def ensure(self) -> None:
        """Sets up what the application did not, once it has begun to use OpenTelemetry."""
        trace = sys.modules.get("opentelemetry.trace")
        if trace is None or not any(name in sys.modules for name in USED):
            return
        provider = getattr(trace, "_TRACER_PROVIDER", None)
        if provider is None:
            self._set_provider()
        elif provider is not self._seen:
            self._seen = provider
            self._add_exporter(provider)

    def flush(self) -> None:
        """Has the providers of this process send what they hold."""
        trace = sys.modules.get("opentelemetry.trace")
        provider = getattr(trace, "_TRACER_PROVIDER", None)
        for each in {id(one): one for one in (provider, self._seen)}.values():
            if each is not None and hasattr(each, "force_flush"):
                each.force_flush(FLUSH_MS)

    def end(self) -> None:
        """Ends what was set up here."""
        if self._ours is not None:
            self._ours.shutdown()

    def _set_provider(self) -> None:
        processor = self._processor()
        if processor is None:
            return
        from opentelemetry import trace
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider

        names = os.environ.get("OTEL_SERVICE_NAME"), os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        is_named = bool(names[0]) or "service.name=" in (names[1] or "")
        provider = TracerProvider(resource=Resource.create({} if is_named else {SERVICE_NAME: "pytest"}))
        provider.add_span_processor(processor)
        trace.set_tracer_provider(provider)
        self._ours, self._seen = processor, provider
        self._say("the application set no tracer provider in this process: tracelink set one")

    def _add_exporter(self, provider: Any) -> None:
        """Adds an exporter to a provider that can reach no receiver.

        One whose exporters cannot be seen stays as it is: spans that came twice would be
        a fault of ours.
        """
        exporters = _exporters(provider)
        if exporters is None or any(_reaches(exporter, self._address) for exporter in exporters):
            return
        processor = self._processor()
        if processor is not None:
            provider.add_span_processor(processor)
            self._ours = processor
            self._say("the tracer provider of this process exports elsewhere: tracelink added an exporter to it")

    def _processor(self) -> Optional[Any]:
        try:
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            exporter = self._exporter()
        except ImportError:
            self._say(
                "this process has no exporter, so its spans are not seen: "
                "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
            )
            return None
        return BatchSpanProcessor(exporter)

    def _exporter(self) -> Any:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            trace_exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
            return trace_exporter.OTLPSpanExporter(endpoint=f"http://{self._address}", insecure=True)
        return OTLPSpanExporter(endpoint=f"http://{self._address}/v1/traces")

    def _say(self, text: str) -> None:
        if text not in self.said:
            self.said.append(text)


def _exporters(provider: Any) -> Optional[list[Any]]:
    """The exporters of an SDK's provider; None where one cannot be seen."""
    active = getattr(provider, "_active_span_processor", None)
    processors = getattr(active, "_span_processors", None)
    if processors is None:
        return None
    found = [_exporter_of(processor) for processor in processors]
    return None if None in found else found


def _exporter_of(processor: Any) -> Optional[Any]:
    """SDKs before and after 1.31 keep it in different places."""
    batch = getattr(processor, "_batch_processor", None)
    return getattr(processor, "span_exporter", None) or getattr(batch, "_exporter", None)


def _reaches(exporter: Any, address: str) -> bool:
    return any(address in text for text in _endpoints(exporter))


def _endpoints(exporter: Any) -> Iterator[str]:
    endpoint = getattr(exporter, "_endpoint", None)
    if isinstance(endpoint, str):
        yield endpoint
