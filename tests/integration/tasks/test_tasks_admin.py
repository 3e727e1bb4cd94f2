"""Tasks and categories in Django's admin."""

from __future__ import annotations

from techtrack.tasks.models import Category, Task


class TestAdmin:
    def test_makes_changes_and_deletes_a_task(self, admin, adam, robot):
        form = {"title": "Look", "priority": 3, "state": "open", "asset": robot.pk}
        assert admin.post("/admin/tasks/task/add/", form).status_code == 302
        task = Task.objects.get()
        assert (task.created_by, task.owners, task.asset.pk) == (adam, [adam.pk], robot.pk)
        page = f"/admin/tasks/task/{task.pk}"
        assert admin.post(f"{page}/change/", {**form, "state": "done"}).status_code == 302
        task.refresh_from_db()
        assert task.completed_at is not None
        assert admin.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
        assert not Task.objects.kept().exists()

    def test_makes_a_category_of_ones_own(self, admin, adam):
        assert admin.post("/admin/tasks/category/add/", {"name": "Mine"}).status_code == 302
        assert Category.objects.get().owner == adam

    def test_keeps_private_work_private(self, admin, olga, make_task):
        task = make_task(olga, title="A surprise for adam")
        assert "A surprise" not in admin.get("/admin/tasks/task/").content.decode()
        assert admin.get(f"/admin/tasks/task/{task.pk}/change/").status_code == 302
