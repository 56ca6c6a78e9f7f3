"""A program that hands orders to the worker without any API: a nightly import.

python script.py [NUMBER OF ORDERS]
"""

import sys

import publishing
import tasks
import tracing

SAMPLE = {"user_id": "u123", "product_id": "p456", "quantity": 2}
# tracelink: before-app


def main():
    tracing.start("order-import")
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        publishing.publish(tasks.process_order, f"import-{number}", SAMPLE)
    tracing.stop()


if __name__ == "__main__":
    main()
