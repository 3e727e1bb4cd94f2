"""What people say, answer, attach and count about the same task at the same moment."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections

from techtrack.accounts.queries import access_of
from techtrack.core import clock
from techtrack.core.errors import Conflict, TechTrackError
from techtrack.notifications.models import LETTER, Delivery
from techtrack.tasks import jobs, queries, services
from techtrack.tasks.domain.workflow import refuse_finished
from techtrack.tasks.models import Attachment, Block, Mention, StoredFile, Task, TaskReminder, TimeEntry
from techtrack.tasks.services import labour
from tests.factories import NOW, make_task

pytestmark = pytest.mark.usefixtures("transactional_db")
HOUR = timedelta(hours=1)


def side_by_side(*works):
    """Do all of them at once; return what each returned, or the error that it raised."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        try:
            return work()
        except TechTrackError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]


def failures(found):
    return Counter(type(one).__name__ for one in found if isinstance(one, Exception))


def held(attachment):
    """What a file holds."""
    with queries.contents(attachment) as file:
        return file.read()


class TestBlocks:
    @pytest.mark.parametrize("count", [2, 4])
    def test_that_would_close_a_circle_together_leave_one_out(self, olga, count):
        tasks = [make_task(olga) for _ in range(count)]
        pairs = [(tasks[number], tasks[(number + 1) % count]) for number in range(count)]
        found = side_by_side(
            *(
                lambda task=task, blocker=blocker: services.block(
                    task=task, blocker=blocker, by=access_of(olga), now=NOW
                )
                for task, blocker in pairs
            )
        )
        assert (failures(found), Block.objects.count()) == ({"CircularBlock": 1}, count - 1)


class TestAnswers:
    def test_to_different_steps_are_all_kept(self, olga, robot):
        steps = [{"type": "tick", "title": f"S{number}", "key": f"s{number}"} for number in range(6)]
        task = make_task(olga, asset_id=robot.pk, checklist=steps)

        def answer(key):
            return lambda: services.answer_steps(
                task=Task.objects.get(pk=task.pk),
                by=access_of(olga),
                answers={key: {"value": True}},
                expected=None,
                now=clock.now(),
            )

        assert failures(side_by_side(*(answer(step["key"]) for step in steps))) == {}
        task.refresh_from_db()
        assert (sorted(task.answers), task.version) == ([f"s{number}" for number in range(6)], 7)

    def test_and_the_end_of_the_work_never_leave_a_step_open(self, olga):
        """Who finishes sees the answer, or is told that it is missing; who takes it back is told that it is over."""
        for _ in range(5):
            task = make_task(olga, checklist=[{"type": "tick", "title": "S", "key": "s"}])
            services.answer_steps(task=task, by=access_of(olga), answers={"s": {"value": True}}, expected=None, now=NOW)

            def finish(pk=task.pk):
                return services.update_task(
                    task=Task.objects.get(pk=pk),
                    by=access_of(olga),
                    changes={"state": "done"},
                    expected=None,
                    now=clock.now(),
                )

            def take_back(pk=task.pk):
                return services.answer_steps(
                    task=Task.objects.get(pk=pk),
                    by=access_of(olga),
                    answers={"s": None},
                    expected=None,
                    now=clock.now(),
                )

            assert sum(failures(side_by_side(finish, take_back)).values()) == 1
            task.refresh_from_db()
            assert (task.state == "done") is bool(task.answers)


class TestReminders:
    def test_fire_once_however_many_look(self, olga, erik):
        for who in (olga, erik) * 5:
            task = make_task(who, owners=[who], reminders=[{"at": clock.isoformat(NOW)}])
            TaskReminder.objects.create(task=task, at=NOW, moment=NOW)
        side_by_side(*[jobs.remind_due] * 3)
        assert Counter(Delivery.objects.values_list("person", flat=True)) == {olga.pk: 5, erik.pk: 5}
        assert not TaskReminder.objects.filter(spent=False).exists()

    def test_that_are_moved_while_they_fire_fire_once(self, olga):
        for _ in range(5):
            task = make_task(olga, owners=[olga], reminders=[{"at": clock.isoformat(NOW)}])
            TaskReminder.objects.create(task=task, at=NOW, moment=NOW)
            more = [{"at": clock.isoformat(NOW)}, {"before": "PT1H"}]

            def change(pk=task.pk, more=more):
                return services.update_task(
                    task=Task.objects.get(pk=pk),
                    by=access_of(olga),
                    changes={"reminders": more},
                    expected=None,
                    now=clock.now(),
                )

            Delivery.objects.all().delete()
            assert failures(side_by_side(jobs.remind_due, change)) == {}
            jobs.remind_due()
            assert Delivery.objects.filter(event=LETTER).count() == 1


class TestClocks:
    def test_of_one_person_run_once(self, olga):
        tasks = [make_task(olga) for _ in range(4)]
        found = side_by_side(
            *(lambda task=task: services.start_clock(task=task, by=access_of(olga), note="", now=NOW) for task in tasks)
        )
        assert (failures(found), TimeEntry.objects.count()) == ({"ClockRunning": 3}, 1)

    def test_are_all_counted(self, olga, erik, robot):
        task = make_task(olga, asset_id=robot.pk)

        def add(who, hours):
            stretch = {"started_at": NOW - hours * HOUR, "ended_at": NOW - (hours - 1) * HOUR}
            return lambda: services.add_time(
                task=Task.objects.get(pk=task.pk), by=access_of(who), data=stretch, now=NOW
            )

        found = side_by_side(*(add(who, hours) for who in (olga, erik) for hours in (1, 2, 3)))
        assert failures(found) == {}
        assert Task.objects.get().spent_seconds == 6 * 3600

    def test_that_start_as_the_work_ends_run_for_nobody(self, olga, monkeypatch):
        """Who starts has seen that the work goes on, and it is finished before the clock runs: it stops with it."""
        task = make_task(olga)
        looked, finished = threading.Event(), threading.Event()

        def look(state):
            refuse_finished(state)
            looked.set()
            # Longer than it takes to finish where nobody is made to wait.
            finished.wait(timeout=2)

        monkeypatch.setattr(labour, "refuse_finished", look)

        def finish():
            assert looked.wait(timeout=20)
            found = Task.objects.get(pk=task.pk)
            services.update_task(
                task=found, by=access_of(olga), changes={"state": "done"}, expected=None, now=clock.now()
            )
            finished.set()

        def start():
            services.start_clock(task=task, by=access_of(olga), note="", now=clock.now())

        assert failures(side_by_side(finish, start)) == {}
        assert Task.objects.get().state == "done"
        assert not TimeEntry.objects.filter(ended_at=None).exists()

    def test_whose_ends_two_correct_at_once_go_forwards(self, olga):
        for _ in range(5):
            task = make_task(olga)
            whole = {"started_at": NOW - 4 * HOUR, "ended_at": NOW - HOUR}
            entry = services.add_time(task=task, by=access_of(olga), data=whole, now=NOW)

            def correct(pk=entry.pk, **changes):
                found = TimeEntry.objects.get(pk=pk)
                return services.change_time(entry=found, by=access_of(olga), changes=changes, expected=None, now=NOW)

            # Each for itself leaves a stretch that goes forwards.
            found = side_by_side(lambda: correct(started_at=NOW - 2 * HOUR), lambda: correct(ended_at=NOW - 3 * HOUR))
            assert failures(found) == {"TimeBackwards": 1}

    def test_that_stop_with_the_work_are_counted_once(self, olga):
        for _ in range(5):
            task = make_task(olga)
            services.start_clock(task=task, by=access_of(olga), note="", now=NOW - HOUR)

            def finish(pk=task.pk):
                return services.update_task(
                    task=Task.objects.get(pk=pk),
                    by=access_of(olga),
                    changes={"state": "done"},
                    expected=None,
                    now=NOW,
                )

            def stop(pk=task.pk):
                return services.stop_clock(task=Task.objects.get(pk=pk), by=access_of(olga), now=NOW)

            assert failures(side_by_side(finish, stop)).keys() <= {"NoClock"}
            task.refresh_from_db()
            assert (task.state, task.spent_seconds) == ("done", 3600)


class TestMentions:
    def test_by_two_edits_at_once_tell_once(self, olga, erik, robot):
        task = make_task(olga, asset_id=robot.pk)
        comment = services.add_comment(task=task, by=access_of(olga), text="x", now=NOW)

        def edit(text):
            row = type(comment).objects.get(pk=comment.pk)
            return services.edit_comment(comment=row, by=access_of(olga), text=text, expected=None, now=NOW)

        found = side_by_side(lambda: edit("@erik look"), lambda: edit("look, @erik"))
        assert failures(found) == {}
        assert (Mention.objects.count(), Delivery.objects.count()) == (1, 1)


class TestAttachments:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        """A data folder of one's own."""
        monkeypatch.setattr(settings, "HOME", tmp_path)
        return tmp_path

    def attach(self, task, by, content=b"%PDF-1.7", name="a.pdf"):
        upload = services.Upload(name, "", content)
        return services.attach(task=task, by=access_of(by), upload=upload, now=clock.now())

    def test_of_the_same_contents_share_them(self, olga):
        tasks = [make_task(olga) for _ in range(6)]
        assert failures(side_by_side(*(lambda task=task: self.attach(task, olga) for task in tasks))) == {}
        assert (Attachment.objects.count(), StoredFile.objects.count()) == (6, 1)
        assert {held(row) for row in Attachment.objects.all()} == {b"%PDF-1.7"}

    def test_are_not_more_than_may_be(self, olga, monkeypatch):
        monkeypatch.setattr("techtrack.tasks.domain.attachments.MOST_FILES", 3)
        task = make_task(olga)
        found = side_by_side(*[lambda: self.attach(Task.objects.get(pk=task.pk), olga)] * 6)
        assert (failures(found), Attachment.objects.count()) == ({"TooLarge": 3}, 3)

    def test_find_their_contents_although_somebody_tidies_up(self, olga, home):
        """The contents lie there unused, and are taken away at the moment at which they are wanted again."""
        for number in range(8):
            content = b"%PDF-" + str(number).encode()
            old = self.attach(make_task(olga), olga, content)
            services.detach(attachment=old, by=access_of(olga), expected=None)
            digest = hashlib.sha256(content).hexdigest()
            StoredFile.objects.filter(pk=digest).update(used_at=clock.now() - 2 * HOUR)
            task = make_task(olga)
            found = side_by_side(
                lambda task=task, content=content: self.attach(task, olga, content),
                lambda: services.collect(now=clock.now()),
            )
            assert failures(found) == {}
            assert held(Attachment.objects.get(task=task)) == content


def test_a_conflict_is_what_is_counted():
    assert failures([Conflict("x"), None]) == {"Conflict": 1}
