"""Reads what `listen --metrics` exposes at PORT with Prometheus' own parsers, in both syntaxes.

Prints for each syntax its media type, the type of each family and every figure. The parsers fail
on what the formats do not allow.
"""

import json
import sys
import urllib.request

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

WAYS = {
    "prometheus": ("text/plain", parser.text_string_to_metric_families),
    "openmetrics": ("application/openmetrics-text; version=1.0.0", openmetrics.text_string_to_metric_families),
}


def read(accept, families):
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        kind, text = answer.headers["content-type"], answer.read().decode()
    found = list(families(text))
    return {
        "content_type": kind,
        "types": {family.name: family.type for family in found},
        "figures": [
            {"name": sample.name, "labels": sample.labels, "value": sample.value}
            for family in found
            for sample in family.samples
        ],
    }


print(json.dumps({way: read(*how) for way, how in WAYS.items()}))
