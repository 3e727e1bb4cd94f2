"""The addresses of other systems' doors: theirs, letter by letter, also where theirs end without a slash."""

from django.urls import path

from techtrack.integrations.doors import views
from techtrack.integrations.doors.openaq import views as openaq

# A rollup of a rollup is the rollup of what was measured: the mean of a day is that of its values.
ROLLUPS = {
    "hours": ("hours", "measurements/hourly"),
    "days": ("days", "hours/daily", "measurements/daily"),
    "months": ("hours/monthly", "days/monthly"),
    "years": ("years", "hours/yearly", "days/yearly"),
}

urlpatterns = [
    path("v1/push-sensor-data/", views.CommunityView.as_view()),
    path("v1/push-sensor-data", views.CommunityView.as_view()),
    path("sensors/airgradient:<str:serial>/measures", views.AirGradientView.as_view()),
    path("sensors/airgradient:<str:serial>/one/config", views.AirGradientSettingsView.as_view()),
    path("v3/locations", openaq.LocationsView.as_view()),
    path("v3/locations/<int:pk>", openaq.LocationView.as_view()),
    path("v3/locations/<int:pk>/latest", openaq.LocationLatestView.as_view()),
    path("v3/locations/<int:pk>/sensors", openaq.LocationSensorsView.as_view()),
    path("v3/locations/<int:pk>/flags", openaq.LocationFlagsView.as_view()),
    path("v3/sensors/<int:pk>", openaq.SensorView.as_view()),
    path("v3/sensors/<int:pk>/measurements", openaq.MeasurementsView.as_view()),
    *(
        path(f"v3/sensors/<int:pk>/{way}", openaq.RollupView.as_view(rollup=rollup))
        for rollup, ways in ROLLUPS.items()
        for way in ways
    ),
    path("v3/parameters", openaq.ParametersView.as_view()),
    path("v3/parameters/<int:pk>", openaq.ParameterView.as_view()),
    path("v3/parameters/<int:pk>/latest", openaq.ParameterLatestView.as_view()),
]
