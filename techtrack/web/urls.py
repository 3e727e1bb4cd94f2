"""Addresses of the pages."""

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from techtrack.web.views import account, acknowledge, alerts, labels, plant, session, shared, store, tasks

urlpatterns = [
    path("", plant.overview, name="overview"),
    path("login/", session.LogIn.as_view(), name="login"),
    path("logout/", session.LogOut.as_view(), name="logout"),
    path("setup/<str:secret>/", session.setup, name="setup"),
    path("accounts/password/change/", account.change_password, name="change-password"),
    path("accounts/password/reset/", account.ask_reset, name="ask-reset"),
    path("accounts/password/reset/<str:key>/", account.reset, name="reset"),
    path("accounts/verify/<str:key>/", account.verify, name="verify"),
    path("accounts/invitation/<str:key>/", account.join, name="join"),
    path("assets/<int:asset_id>/", plant.asset, name="asset"),
    path("assets/<int:asset_id>/label/", labels.label, name="asset-label"),
    path("parts/assets/<int:asset_id>/alerts/", plant.open_alerts, name="asset-alerts"),
    path("favicon.ico", RedirectView.as_view(url=static("web/favicon.svg"))),
    path("parts/alerts/", plant.open_alerts, name="open-alerts"),
    path("alerts/<int:alert_id>/", alerts.alert, name="alert"),
    path("alerts/<int:alert_id>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("acknowledge/<str:token>/", acknowledge.acknowledge, name="acknowledge-link"),
    path("shared/tasks/<str:key>/", shared.shared_task, name="shared-task"),
    path("store/", store.store, name="store"),
    path("tasks/", tasks.tasks, name="tasks"),
    path("tasks/<int:task_id>/done/", tasks.finish, name="task-done"),
]
