"""A disk whose power can be cut: what was written but not yet forced to it is gone, as in life.

A file on XFS is a disk (a loop device) with ext4 on it. A copy of that file by reference, which XFS makes in an
instant, is the disk as a power cut at that instant leaves it: what the kernel still held back is not in it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import missing, program

BIG, SMALL = 900 * 2**20, 256 * 2**20


class CuttableDisk:
    """A mounted disk at ``place``; ``cut`` takes it as it would be found, ``found`` mounts what was taken."""

    def __init__(self, folder: Path, place: Path) -> None:
        self._folder = folder
        self._image = folder / "disk"
        self._cuts = 0
        self.place = place

    def cut(self) -> Path:
        """Take the disk as a power cut at this moment would leave it; the running one goes on."""
        self._cuts += 1
        taken = self._folder / f"cut-{self._cuts}"
        _run("cp", "--reflink=always", str(self._image), str(taken))
        return taken

    @contextmanager
    def found(self, taken: Path, place: Path) -> Iterator[Path]:
        """Mount a disk that was taken, at ``place``."""
        with _mounted(taken, place):
            yield place
        taken.unlink()


@contextmanager
def cuttable_disk(folder: Path) -> Iterator[CuttableDisk]:
    """Make one below ``folder``; the test is skipped, and listed as such, where that cannot be."""
    if os.geteuid() != 0:
        missing("root", "mounting a disk whose power can be cut")
    program("losetup", how="apt-get install mount")
    xfs, ext4 = (
        program("mkfs.xfs", how="apt-get install xfsprogs"),
        program("mkfs.ext4", how="apt-get install e2fsprogs"),
    )
    with ExitStack() as stack:
        outer, inside = folder / "outer", folder / "inside"
        _make(outer, BIG, [xfs, "-q", "-m", "reflink=1"])
        try:
            stack.enter_context(_mounted(outer, inside))
        except subprocess.CalledProcessError as error:
            missing("loop devices", str(error.stderr))
        _make(inside / "disk", SMALL, [ext4, "-q"])
        place = folder / "place"
        stack.enter_context(_mounted(inside / "disk", place))
        yield CuttableDisk(inside, place)


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system in memory that is full after so many MiB."""
    if os.geteuid() != 0:
        missing("root", "mounting a disk that can be filled")
    place.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place))
    except subprocess.CalledProcessError as error:
        missing("tmpfs", str(error.stderr))
    try:
        yield place
    finally:
        _run("umount", "--lazy", str(place))


def _make(image: Path, size: int, command: list[str]) -> None:
    with image.open("wb") as file:
        file.truncate(size)
    _run(*command, str(image))


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    place.mkdir()
    _run("mount", "-o", "loop", str(image), str(place))
    try:
        yield
    finally:
        try:
            _run("umount", str(place))
        except subprocess.CalledProcessError:
            # Somebody still has a file open in it; it goes when he does.
            _run("umount", "--lazy", str(place))
        place.rmdir()


def _run(*command: str) -> None:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
