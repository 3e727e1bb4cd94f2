"""The addresses of integrations."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.integrations.api import push_units, viewsets
from techtrack.integrations.doors.addresses import urlpatterns as doors

router = SimpleRouter()
router.register("imports", viewsets.ImportRunViewSet, basename="imports")
# Before single units: "rejected" is no id of one.
router.register("push-units/rejected", push_units.RejectedPushViewSet, basename="push-units-rejected")
router.register("push-units", push_units.PushUnitViewSet, basename="push-units")

urlpatterns = [path("api/", include(router.urls)), *doors]
