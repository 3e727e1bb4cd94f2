"""The addresses of integrations."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.integrations.api import viewsets

router = SimpleRouter()
router.register("imports", viewsets.ImportRunViewSet, basename="imports")

urlpatterns = [path("api/", include(router.urls))]
