from django.test import Client


def test_an_order_is_one_trace(celery_worker, tracelink):
    answer = Client().post("/orders", {"order": "o1"})
    assert answer.status_code == 202
    tracelink.assert_handoffs(1)
    tracelink.assert_one_trace(spans=["POST orders", "apply_async/ship", "run/ship"])
