"""A shop: Django takes orders, and a Celery worker ships them."""

from celery import Celery
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()

worker_app = Celery("shop", broker=settings.BROKER_URL, backend=settings.BROKER_URL)


@worker_app.task(name="ship")
def ship(order: str) -> str:
    return f"shipped {order}"


def create_order(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"task": ship.delay(request.POST["order"]).id}, status=202)


urlpatterns = [path("orders", create_order)]
