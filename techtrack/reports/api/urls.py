"""Addresses of reports."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.reports.api.air import AirReportViewSet
from techtrack.reports.api.tables import DataCaptureView, ExceedancesView

router = SimpleRouter()
router.register("reports/air-quality", AirReportViewSet, basename="air-reports")

urlpatterns = [
    path("api/reports/exceedances/", ExceedancesView.as_view()),
    path("api/reports/data-capture/", DataCaptureView.as_view()),
    path("api/", include(router.urls)),
]
