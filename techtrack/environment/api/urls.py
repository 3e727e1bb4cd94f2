"""Addresses of air quality."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.environment.api.corrected import CorrectionsView, SensorCorrectedView
from techtrack.environment.api.exceedances import SensorExceedancesView
from techtrack.environment.api.index import SensorHistoryView, SensorIndexView, SiteIndexView, StandardsView
from techtrack.environment.api.settings import AirSettingsViewSet

router = SimpleRouter()
router.register("air-settings", AirSettingsViewSet, basename="air-settings")

urlpatterns = [
    path("api/air-quality/standards/", StandardsView.as_view()),
    path("api/air-quality/corrections/", CorrectionsView.as_view()),
    path("api/sensors/<int:pk>/corrected/", SensorCorrectedView.as_view()),
    path("api/sensors/<int:pk>/air-quality/", SensorIndexView.as_view()),
    path("api/sensors/<int:pk>/air-quality/history/", SensorHistoryView.as_view()),
    path("api/sensors/<int:pk>/exceedances/", SensorExceedancesView.as_view()),
    path("api/sites/<int:pk>/air-quality/", SiteIndexView.as_view()),
    path("api/", include(router.urls)),
]
