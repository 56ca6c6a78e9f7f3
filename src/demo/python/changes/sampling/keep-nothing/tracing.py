from opentelemetry.sdk.trace.sampling import ALWAYS_OFF


def make_sampler():
    return ALWAYS_OFF
