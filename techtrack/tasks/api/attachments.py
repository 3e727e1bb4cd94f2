"""Files of a task, as a resource below it: uploaded as forms are, and only ever downloaded, never shown in place."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from techtrack.core import clock
from techtrack.core.api.downloads import AnyForm
from techtrack.core.api.fields import ResourceSerializer, refuse_unknown_fields
from techtrack.core.errors import Invalid, NotFound
from techtrack.tasks import queries, services
from techtrack.tasks.api.of_task import OfTaskViewSet
from techtrack.tasks.domain.attachments import BIGGEST, FORMS, LONGEST_NAME
from techtrack.tasks.files.pictures import THUMBNAIL_TYPE
from techtrack.tasks.models import Attachment


class NoThumbnail(NotFound):
    """There are small pictures of pictures alone."""

    code = "no_thumbnail"


class AttachmentSerializer(ResourceSerializer):
    """A file; ``width`` and ``height`` are null for what is no picture."""

    sha256 = serializers.CharField(source="file_id", read_only=True, help_text="What its contents hash to.")
    has_thumbnail = serializers.BooleanField(read_only=True)

    class Meta:
        model = Attachment
        fields = [
            *("id", "task", "name", "type", "size", "sha256", "width", "height", "has_thumbnail"),
            *("created_by", "created_at", "updated_at", "version"),
        ]
        read_only_fields = fields


class UploadSerializer(serializers.Serializer[Any]):
    """One file, as a browser's form sends it."""

    # That it is empty, or of a name that nobody wants, is found out with all else that may be wrong with it.
    file = serializers.FileField(allow_empty_file=True, max_length=LONGEST_NAME)


@extend_schema_view(
    create=extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={201: AttachmentSerializer},
        description=f"Attach a file: {', '.join(FORMS)}, {BIGGEST // 2**20} MiB at most. What it holds must be "
        "what its name and its type say.",
    )
)
class AttachmentViewSet(OfTaskViewSet):
    """Files that people attached, the oldest first."""

    http_method_names = ["get", "post", "delete", "head", "options"]
    queryset = Attachment.objects.all()
    serializer_class = AttachmentSerializer
    parser_classes = (MultiPartParser,)
    ordering_fields = ["created_at", "name", "size"]
    ordering = ["created_at", "id"]

    def make(self, body: Any) -> Attachment:
        serializer = UploadSerializer(data=body)
        refuse_unknown_fields(body, serializer)
        serializer.is_valid(raise_exception=True)
        if len(body.getlist("file")) > 1:
            raise Invalid("one file at a time", pointer="/file")
        file = serializer.validated_data["file"]
        # One byte more than may be: enough to be refused.
        upload = services.Upload(file.name, file.content_type or "", file.read(BIGGEST + 1))
        return services.attach(task=self.task, by=self.request.auth, upload=upload, now=clock.now())

    def drop(self, instance: Attachment, expected: int | None) -> None:
        services.detach(attachment=instance, by=self.request.auth, expected=expected)

    @extend_schema(
        operation_id="tasks_attachments_content", responses={(200, kind): OpenApiTypes.BINARY for kind in FORMS}
    )
    @action(detail=True, methods=["get"], url_path="content", content_negotiation_class=AnyForm)
    def content(self, request: Request, **_: Any) -> FileResponse:
        """Download the file."""
        instance: Attachment = self.get_object()
        file = queries.contents(instance)
        return FileResponse(file, as_attachment=True, filename=instance.name, content_type=instance.type)

    @extend_schema(operation_id="tasks_attachments_thumbnail", responses={(200, THUMBNAIL_TYPE): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path="thumbnail", content_negotiation_class=AnyForm)
    def thumbnail(self, request: Request, **_: Any) -> HttpResponse:
        """Get a small picture of a picture."""
        instance: Attachment = self.get_object()
        if not instance.has_thumbnail:
            raise NoThumbnail("this file is no picture")
        with queries.contents(instance, thumbnail=True) as file:
            response = HttpResponse(file.read(), content_type=THUMBNAIL_TYPE)
        response["ETag"] = f'"{instance.file_id}"'
        return response
