"""The page with the label of an asset: printed and glued to it, it opens the asset's page on a telephone."""

from __future__ import annotations

import segno
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Asset
from techtrack.web.views.page import page

# A quarter of the code may be scratched or greasy.
CORRECTION = "q"


@require_safe
@page
def label(request: HttpRequest, access: Access, asset_id: int) -> HttpResponse:
    """Name, key and QR code of an asset, to be printed."""
    asset = Asset.objects.visible_to(access).select_related("type", "site").filter(pk=asset_id).first()
    if asset is None:
        raise Http404
    address = settings.PUBLIC_URL + reverse("asset", args=[asset.pk])
    code = segno.make(address, error=CORRECTION, boost_error=False, micro=False)
    # Drawn by its outlines: it is as sharp as the printer, whatever its size.
    picture = code.svg_data_uri(border=4, scale=4, dark="#000", light="#fff")
    return render(request, "web/label.html", {"asset": asset, "address": address, "picture": picture})
