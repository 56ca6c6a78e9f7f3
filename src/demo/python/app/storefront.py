"""A program in front of the API: it calls `POST /orders` inside a span of its own.

python storefront.py URL [NUMBER OF ORDERS]
"""

import json
import sys
import urllib.request

from opentelemetry import propagate, trace

import tracing

SAMPLE = {"user_id": "u123", "product_id": "p456", "quantity": 2}
tracer = trace.get_tracer("shop.storefront")


def order(url):
    with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT) as span:
        headers = {"content-type": "application/json"}
        propagate.inject(headers)
        span.set_attribute("http.request.method", "POST")
        span.set_attribute("url.full", url)
        span.set_attribute("peer.service", "order-api")
        request = urllib.request.Request(url, json.dumps(SAMPLE).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            span.set_attribute("http.response.status_code", answer.status)


def main():
    tracing.start("storefront")
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        order(sys.argv[1])
    tracing.stop()


if __name__ == "__main__":
    main()
