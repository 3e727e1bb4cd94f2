"""Makes tables, machines and a token; prints the token: ``python -m benchmarks.peers.drf.prepare 1000``."""

import sys

import django


def main() -> None:
    """Make them."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from benchmarks.peers.drf.models import Machine

    call_command("migrate", verbosity=0, run_syncdb=True)
    Machine.objects.bulk_create(Machine(name=f"Machine {number}") for number in range(1, int(sys.argv[1]) + 1))
    print(Token.objects.create(user=User.objects.create_user("device")).key)


if __name__ == "__main__":
    main()
