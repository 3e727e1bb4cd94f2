"""The label of an asset: a code that opens its page, for who may see it."""

from __future__ import annotations

import html
import re

import pytest
import segno
from django.test import Client

from tests import factories


def drawn(content):
    """The address of the picture on the page."""
    return html.unescape(re.search(r'<img src="(data:image/svg\+xml[^"]+)"', content.decode())[1])


class TestLabel:
    @pytest.mark.parametrize("name", ["robot", "station"], ids=["equipment", "a sensor"])
    def test_opens_the_page_of(self, page, vera, request, settings, name):
        settings.PUBLIC_URL = "https://plant.example"
        asset = request.getfixturevalue(name)
        answer = page(vera).get(f"/assets/{asset.pk}/label/")
        assert answer.status_code == 200
        code = segno.make(f"https://plant.example/assets/{asset.pk}/", error="q", boost_error=False, micro=False)
        assert drawn(answer.content) == code.svg_data_uri(border=4, scale=4, dark="#000", light="#fff")
        assert page(vera).get(f"/assets/{asset.pk}/").status_code == 200

    def test_says_what_it_is_glued_to(self, page, vera, robot):
        content = page(vera).get(f"/assets/{robot.pk}/label/").content.decode()
        assert all(words in content for words in ("Robot 1", "robot-1", "Plant"))

    def test_of_any_name_is_text_and_nothing_else(self, page, vera, plant):
        asset = factories.make_equipment("<b>x</b>", site=plant)
        assert b"<b>x</b>" not in page(vera).get(f"/assets/{asset.pk}/label/").content

    def test_is_for_who_may_see_the_asset(self, page, vera, oscar, robot):
        assert page(oscar).get(f"/assets/{robot.pk}/label/").status_code == 404
        assert page(vera).get("/assets/999999/label/").status_code == 404
        assert Client().get(f"/assets/{robot.pk}/label/").url.startswith("/login/")

    def test_is_linked_from_the_page_of_the_asset(self, page, vera, robot):
        assert f"/assets/{robot.pk}/label/" in page(vera).get(f"/assets/{robot.pk}/").content.decode()
