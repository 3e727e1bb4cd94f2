"""Makes .venv and installs a hashed requirements file into it: ``python3 requirements/install.py all``.

It is run by whatever Python the machine has, so it uses nothing newer than Python 3.6 and nothing but the
standard library. A second run with the same file does nothing.
"""

import hashlib
import os
import subprocess
import sys
import time

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
PIP = os.path.join(ROOT, "requirements", "pip-26.3-py3-none-any.whl")
# A shebang may not be long or hold a space; sh finds the interpreter whatever its path.
LAUNCHER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from techtrack.cli import main

sys.exit(main())
"""


def main(name):
    """Install requirements/``name``.txt, and make ``techtrack`` importable and a command."""
    if sys.version_info < OLDEST:
        refuse("Python 3.11 or newer is needed, and {} is {}.".format(sys.executable, sys.version.split()[0]))
    lock = os.path.join(ROOT, "requirements", name + ".txt")
    with open(lock, "rb") as file:
        fingerprint = hashlib.sha256(file.read() + ROOT.encode()).hexdigest()
    stamp = os.path.join(VENV, ".installed-" + name)
    if os.path.exists(stamp) and read(stamp) == fingerprint:
        return
    started = time.time()
    pip = make_environment()
    say("Installing requirements/{}.txt, every file checked against its hash ...".format(name))
    run([*pip, "install", "--require-hashes", "--no-deps", "--disable-pip-version-check", "-r", lock])
    make_command()
    write(stamp, fingerprint)
    say("Installed in {:.0f} s.".format(time.time() - started))


def make_environment():
    """Make .venv with the pip that lies beside this file; return the command that runs it.

    Debian splits Python: without python3-venv there is a ``venv`` but nothing that could put pip into it.
    """
    if not (os.path.exists(PYTHON) and quiet([PYTHON, "-m", "pip", "--version"])):
        say("Making the virtual environment .venv ...")
        run([sys.executable, "-m", "venv", "--without-pip", "--clear", VENV])
        run([PYTHON, os.path.join(PIP, "pip"), "install", "--quiet", "--no-index", PIP])
    return [PYTHON, "-m", "pip"]


def make_command():
    """Put the checkout on the path of .venv and the command ``techtrack`` into .venv/bin; nothing is built."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.check_output([PYTHON, "-c", ask], universal_newlines=True).strip()
    write(os.path.join(site, "techtrack.pth"), ROOT + "\n")
    command = os.path.join(VENV, "bin", "techtrack")
    write(command, LAUNCHER.format(python=PYTHON))
    os.chmod(command, 0o755)


def run(command):
    """Run ``command`` with its output shown; end with one sentence if it fails."""
    if subprocess.call(command) != 0:
        refuse("This failed, see above: " + " ".join(command))


def quiet(command):
    """Tell whether ``command`` succeeds."""
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def read(path):
    """Return the text of a file."""
    with open(path) as file:
        return file.read()


def write(path, text):
    """Write a file."""
    with open(path, "w") as file:
        file.write(text)


def say(sentence):
    """Show what is going on, at once."""
    print(sentence, flush=True)


def refuse(sentence):
    """End with one plain sentence."""
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "all")
