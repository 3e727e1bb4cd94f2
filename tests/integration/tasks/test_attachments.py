"""Files of tasks: taken for what they are, kept once, handed out as files, and gone with their tasks."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from PIL import Image

from techtrack.core import clock
from techtrack.tasks import services
from techtrack.tasks.files import pictures
from techtrack.tasks.files.folder import DiskRefuses, Folder
from techtrack.tasks.models import Attachment, StoredFile, Task
from tests.factories import make_task

PDF = b"%PDF-1.7\nwords"
HOUR = timedelta(hours=1)


def picture(width=800, height=600, form="PNG"):
    made = BytesIO()
    Image.new("RGB", (width, height), "navy").save(made, form)
    return made.getvalue()


def url(task, attachment=None, what=""):
    return f"/api/tasks/{task.pk}/attachments/" + (f"{attachment}/{what}" if attachment else "")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A data folder of one's own."""
    monkeypatch.setattr(settings, "HOME", tmp_path)
    return tmp_path


@pytest.fixture
def attach(api):
    """``attach(olga, task, "report.pdf", PDF)``: the answer to an upload."""

    def upload(who, task, name="report.pdf", content=PDF, kind="application/pdf", **more):
        form = {"file": SimpleUploadedFile(name, content, content_type=kind)}
        return api(who).post(url(task), form, format="multipart", **more)

    return upload


def kept(home: Path) -> list[str]:
    """The names of all files in the folder, small pictures marked."""
    folder = home / "attachments"
    return sorted(f"{file.parent.parent.name}:{file.name}" for file in folder.rglob("*") if file.is_file())


def body(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


class TestUpload:
    def test_is_kept_and_can_be_had_again(self, api, olga, vera, robot, attach):
        task = make_task(olga, asset_id=robot.pk)
        made = attach(olga, task, "Größe.pdf")
        assert made.status_code == 201, made.content
        told = made.json()
        assert made["Location"].endswith(url(task, told["id"]))
        assert {name: told[name] for name in ("name", "type", "size", "sha256", "has_thumbnail", "created_by")} == {
            "name": "Größe.pdf",
            "type": "application/pdf",
            "size": len(PDF),
            "sha256": hashlib.sha256(PDF).hexdigest(),
            "has_thumbnail": False,
            "created_by": olga.pk,
        }
        assert api(vera).get(url(task)).json()["results"] == [told]
        assert api(vera).get(url(task, told["id"])).json() == told

    def test_is_handed_out_as_a_file_and_never_shown_in_place(self, api, olga, attach):
        task = make_task(olga)
        number = attach(olga, task, 'a "b" ü.txt'.replace('"', ""), b"hello", "text/plain").json()["id"]
        answer = api(olga).get(url(task, number, "content/"), HTTP_ACCEPT="text/html")
        assert (answer.status_code, body(answer)) == (200, b"hello")
        assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''a%20b%20%C3%BC.txt")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer["Content-Type"].startswith("text/plain")
        assert answer["Content-Length"] == "5"
        assert "private" in answer["Cache-Control"]

    @pytest.mark.parametrize(
        ("name", "content", "kind", "code"),
        [
            pytest.param("page.html", b"<html><script>alert(1)</script>", "text/html", "forbidden_type", id="a page"),
            pytest.param("a.txt", b"<html><script>", "text/plain", "forbidden_type", id="a page that says it is text"),
            pytest.param("a.svg", b"<svg onload='x'/>", "image/svg+xml", "forbidden_type", id="a picture with scripts"),
            pytest.param("a.png", PDF, "image/png", "another_type", id="a paper that says it is a picture"),
            pytest.param("a.png", PDF, "", "another_type", id="a paper that is called a picture"),
            pytest.param("a.zip", b"PK\x03\x04", "application/zip", "forbidden_type", id="an archive"),
            pytest.param("a.exe", b"MZ\x90\x00", "application/octet-stream", "forbidden_type", id="a program"),
            pytest.param("con.pdf", PDF, "application/pdf", "unsafe_name", id="a device"),
            pytest.param("a.txt", b"", "text/plain", "forbidden_type", id="nothing"),
            pytest.param("a.txt", b"x" * (5 * 2**20 + 1), "text/plain", "too_large", id="a text that is too long"),
            pytest.param("a.pdf", b"%PDF-" + b"x" * 20 * 2**20, "application/pdf", "too_large", id="any too large"),
            pytest.param("a.png", picture()[:200], "image/png", "unreadable_image", id="a picture cut short"),
        ],
    )
    def test_of_what_is_not_kept_is_refused_at_its_place(self, olga, home, attach, name, content, kind, code):
        answer = attach(olga, make_task(olga), name, content, kind)
        assert answer.status_code == 400, answer.content
        assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("/file", code)]
        assert (kept(home), Attachment.objects.count()) == ([], 0)

    @pytest.mark.parametrize(
        ("form", "status", "pointer"),
        [
            pytest.param({}, 400, "/file", id="no file"),
            pytest.param({"file": "words"}, 400, "/file", id="a field that is no file"),
            pytest.param({"file": SimpleUploadedFile("a.txt", b"x"), "task": "7"}, 400, "/task", id="a field too many"),
            pytest.param({"file": [SimpleUploadedFile(f"{n}.txt", b"x") for n in "ab"]}, 400, "/file", id="two files"),
        ],
    )
    def test_that_is_no_form_with_one_file_is_refused(self, api, olga, form, status, pointer):
        answer = api(olga).post(url(make_task(olga)), form, format="multipart")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            pytest.param("multipart/form-data", b"--x\r\n\r\n--x--", id="no boundary"),
            pytest.param("multipart/form-data; boundary=x", b"words", id="no parts"),
            pytest.param("multipart/form-data; boundary=x", b"--y\r\n\r\nz\r\n--y--\r\n", id="another boundary"),
            pytest.param(
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
                b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n",
                id="no base64",
            ),
            pytest.param("multipart/form-data; boundary=" + "x" * 500, b"", id="a long boundary"),
        ],
    )
    def test_that_is_a_broken_form_is_refused(self, api, olga, kind, body):
        answer = api(olga).generic("POST", url(make_task(olga)), body, content_type=kind)
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
        assert not Attachment.objects.exists()

    def test_in_json_is_not_read(self, api, olga):
        assert api(olga).post(url(make_task(olga)), {"file": "x"}, format="json").status_code == 415

    def test_of_too_many_files_is_refused(self, olga, attach, monkeypatch):
        monkeypatch.setattr("techtrack.tasks.domain.attachments.MOST_FILES", 2)
        task = make_task(olga)
        found = [attach(olga, task, f"{number}.pdf", PDF).status_code for number in range(3)]
        assert found == [201, 201, 400]

    def test_needs_who_may_speak(self, olga, vera, oscar, mallory, robot, attach):
        task = make_task(olga, asset_id=robot.pk)
        task.share_rows.create(user=mallory, level="comment")
        assert [attach(who, task).status_code for who in (olga, mallory, vera, oscar)] == [201, 201, 403, 404]

    def test_with_the_same_key_is_done_once(self, olga, attach):
        task = make_task(olga)
        first, again = (attach(olga, task, HTTP_IDEMPOTENCY_KEY="monday") for _ in range(2))
        assert first.json() == again.json()
        assert again["Idempotency-Replayed"] == "true"
        assert Attachment.objects.count() == 1

    def test_to_a_full_disk_says_so_and_leaves_nothing(self, olga, home, attach, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        answer = attach(olga, make_task(olga), "a.png", picture(), "image/png")
        assert (answer.status_code, answer.json()["code"]) == (503, "disk_refuses")
        assert (kept(home), Attachment.objects.count()) == ([], 0)


class TestPicture:
    def test_has_a_small_one(self, api, olga, attach):
        task = make_task(olga)
        made = attach(olga, task, "a.jpg", picture(2000, 1000, "JPEG"), "image/jpeg").json()
        assert (made["width"], made["height"], made["has_thumbnail"]) == (2000, 1000, True)
        answer = api(olga).get(url(task, made["id"], "thumbnail/"))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
        with Image.open(BytesIO(answer.content)) as small:
            assert small.size == (480, 240)
        again = api(olga).get(url(task, made["id"], "thumbnail/"), HTTP_IF_NONE_MATCH=answer["ETag"])
        assert again.status_code == 304

    def test_that_unfolds_to_gigabytes_is_refused(self, olga, attach, monkeypatch):
        monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
        answer = attach(olga, make_task(olga), "a.png", picture(40, 26), "image/png")
        assert (answer.status_code, answer.json()["code"]) == (400, "too_many_pixels")

    def test_is_what_has_a_small_one(self, api, olga, attach):
        task = make_task(olga)
        number = attach(olga, task).json()["id"]
        answer = api(olga).get(url(task, number, "thumbnail/"))
        assert (answer.status_code, answer.json()["code"]) == (404, "no_thumbnail")


class TestContents:
    def test_lie_once_however_many_tasks_have_them(self, olga, home, attach):
        for _ in range(2):
            attach(olga, make_task(olga), "a.png", picture(), "image/png")
        digest = hashlib.sha256(picture()).hexdigest()
        assert kept(home) == [f"files:{digest}", f"thumbnails:{digest}"]
        assert StoredFile.objects.count() == 1

    def test_are_nobody_elses_to_read_on_the_machine(self, olga, home, attach):
        attach(olga, make_task(olga))
        places = [home / "attachments", *(home / "attachments").rglob("*")]
        found = [path for path in places if path.stat().st_mode & 0o077]
        assert found == []

    def test_that_are_gone_are_said_to_be(self, api, olga, home, attach):
        task = make_task(olga)
        number = attach(olga, task).json()["id"]
        Folder(home / "attachments").remove(hashlib.sha256(PDF).hexdigest())
        answer = api(olga).get(url(task, number, "content/"))
        assert (answer.status_code, answer.json()["code"]) == (404, "file_missing")

    def test_go_when_the_last_task_has_let_go_of_them(self, api, olga, home, attach):
        one, other = make_task(olga), make_task(olga)
        numbers = [attach(olga, task).json()["id"] for task in (one, other)]
        later = clock.now() + HOUR + HOUR
        api(olga).delete(url(one, numbers[0]))
        assert (services.collect(now=later), len(kept(home))) == (0, 1)
        api(olga).delete(url(other, numbers[1]))
        # Not at once: somebody may be about to attach the same.
        assert (services.collect(now=clock.now()), len(kept(home))) == (0, 1)
        assert (services.collect(now=later), kept(home), StoredFile.objects.count()) == (1, [], 0)

    def test_go_with_a_task_that_is_forgotten(self, api, olga, home, attach):
        task = make_task(olga)
        attach(olga, task, "a.png", picture(), "image/png")
        api(olga).delete(f"/api/tasks/{task.pk}/")
        services.forget_deleted(now=clock.now() + timedelta(days=31))
        assert not Task.objects.exists()
        services.collect(now=clock.now() + timedelta(days=31))
        assert kept(home) == []

    def test_of_uploads_that_died_go(self, db, home):
        folder = Folder(home / "attachments")
        folder.write_draft(b"half")
        services.collect(now=clock.now())
        assert len(kept(home)) == 1
        services.collect(now=clock.now() + HOUR + HOUR)
        assert kept(home) == []

    def test_of_uploads_that_were_undone_go(self, olga, home, attach):
        with transaction.atomic():
            attach(olga, make_task(olga), "a.png", picture(), "image/png")
            transaction.set_rollback(True)
        assert (len(kept(home)), StoredFile.objects.count()) == (2, 0)
        services.collect(now=clock.now())
        assert len(kept(home)) == 2
        services.collect(now=clock.now() + HOUR + HOUR)
        assert (kept(home), StoredFile.objects.count()) == ([], 0)

    def test_stay_where_the_transaction_fails(self, olga, home, attach, monkeypatch):
        def fail(*_, **__):
            raise DiskRefuses("no")

        task = make_task(olga)
        monkeypatch.setattr(Folder, "settle", fail)
        assert attach(olga, task).status_code == 503
        assert (kept(home), StoredFile.objects.count()) == ([], 0)


class TestRemoval:
    def test_is_for_who_attached_it_or_may_delete_the_task(self, api, olga, erik, vera, adam, robot, attach):
        task = make_task(erik, asset_id=robot.pk)
        one, other = (attach(olga, task).json()["id"] for _ in range(2))
        found = [api(who).delete(url(task, one)).status_code for who in (vera, adam, olga)]
        assert found == [403, 403, 204]
        assert api(erik).delete(url(task, other)).status_code == 204

    def test_with_an_old_version_is_refused(self, api, olga, attach):
        task = make_task(olga)
        number = attach(olga, task).json()["id"]
        assert api(olga).delete(url(task, number), HTTP_IF_MATCH='"9"').status_code == 412
        assert api(olga).delete(url(task, number), HTTP_IF_MATCH='"1"').status_code == 204
