import time

PAGES = 1500


def update_inventory(order):
    """Looks through all pages: spans that end at once."""
    pages = [tracer.start_span("audit_page") for _ in range(PAGES)]
    for page in pages:
        tracer.start_span("audit_line", context=trace.set_span_in_context(page)).end()
        time.sleep(0.0001)
    for page in pages:
        page.end()
