"""The tutorial's serializer, viewset and router."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework import routers, serializers, viewsets

from benchmarks.peers.drf.models import Reading


class ReadingSerializer(serializers.ModelSerializer):
    """A reading."""

    class Meta:
        model = Reading
        fields = "__all__"


class ReadingViewSet(viewsets.ModelViewSet):
    """Readings; a list is accepted as well."""

    queryset = Reading.objects.all()
    serializer_class = ReadingSerializer

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("many", isinstance(kwargs.get("data"), list))
        return super().get_serializer(*args, **kwargs)


def ready(request: HttpRequest) -> HttpResponse:
    """Say that it is there."""
    return HttpResponse("ok")


router = routers.DefaultRouter()
router.register("readings", ReadingViewSet)
urlpatterns = [path("api/", include(router.urls)), path("", ready)]
