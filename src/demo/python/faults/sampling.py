"""Sampling: the context travels, and says that nothing is to be kept."""

import tracing
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

from . import breaks


@breaks("not-sampled", "api")
def keep_nothing():
    tracing.make_sampler = lambda: ALWAYS_OFF


@breaks("sampler-ignores-parent", "worker")
def half_of_all_traces():
    """By the trace's id, whatever the API decided."""
    tracing.make_sampler = lambda: TraceIdRatioBased(0.5)
