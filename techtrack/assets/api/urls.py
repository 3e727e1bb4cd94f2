"""The addresses of assets."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.assets.api import viewsets

router = SimpleRouter()
router.register("equipment", viewsets.EquipmentViewSet, basename="equipment")
router.register("sensors", viewsets.SensorViewSet, basename="sensors")
router.register("asset-types", viewsets.AssetTypeViewSet, basename="asset-types")
router.register("parameters", viewsets.ParameterViewSet, basename="parameters")
router.register("keys", viewsets.KeyViewSet, basename="keys")

urlpatterns = [path("api/", include(router.urls))]
