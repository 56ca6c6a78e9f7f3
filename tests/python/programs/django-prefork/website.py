"""A Django site in one file: python website.py runserver --noreload"""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
from opentelemetry import propagate
from opentelemetry.instrumentation.django import DjangoInstrumentor

from mail import send_welcome
from tracing import configure

settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
configure("members-site")
# tracelink: before-app
DjangoInstrumentor().instrument()


def join(request, member):
    headers = {}
    propagate.inject(headers)
    # tracelink: publish
    send_welcome.apply_async(args=[member], headers=headers)
    return JsonResponse({"member": member}, status=202)


urlpatterns = [path("join/<str:member>", join)]
# tracelink: after-app

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
