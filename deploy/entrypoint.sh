#!/bin/sh
# The image's entry point:
#   up       the whole platform in one process (the default); brings the database up to date first
#   migrate  bring the database up to date, make the first admin, end
#   web, asgi, worker   one part of a larger set-up; each waits until the database is up to date
#   anything else is run as it stands
set -eu
cd "$(dirname "$0")/.."
: "${TECHTRACK_HOME:=var}" "${HOST:=127.0.0.1}" "${PORT:=8000}"
export TECHTRACK_HOME HOST PORT
export DJANGO_SETTINGS_MODULE=techtrack.config.settings

migrate() {
  mkdir -p "$TECHTRACK_HOME"
  # Two containers may share the folder and start together: one migrates, the other finds it done.
  flock "$TECHTRACK_HOME/migrate.lock" python manage.py migrate --noinput
}

first_admin() {
  if [ -n "${DJANGO_SUPERUSER_PASSWORD_FILE:-}" ]; then
    DJANGO_SUPERUSER_PASSWORD=$(cat "$DJANGO_SUPERUSER_PASSWORD_FILE")
    export DJANGO_SUPERUSER_PASSWORD
  fi
  if [ -z "${DJANGO_SUPERUSER_USERNAME:-}" ] || [ -z "${DJANGO_SUPERUSER_PASSWORD:-}" ]; then
    return 0
  fi
  : "${DJANGO_SUPERUSER_EMAIL:=}"
  export DJANGO_SUPERUSER_EMAIL
  if ! said=$(python manage.py createsuperuser --noinput 2>&1); then
    case "$said" in
      *"already taken"*) echo "The admin $DJANGO_SUPERUSER_USERNAME is there already." ;;
      *) echo "$said" >&2; return 1 ;;
    esac
  fi
}

wait_for_database() {
  tries=0
  until python manage.py migrate --check >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
      echo "The database was not up to date within two minutes; is the migrate service running?" >&2
      exit 2
    fi
    echo "Waiting until the database is up to date ..."
    sleep 2
  done
}

case "${1:-up}" in
  up)
    migrate
    first_admin
    exec techtrack "${@:-up}"
    ;;
  migrate)
    migrate
    first_admin
    ;;
  web)
    wait_for_database
    # One process: what comes over a kept connection goes to the process that holds it, and of several one works while
    # another rests. The proxy sees which node is free; more nodes are more processes.
    # Fewer threads than it has connections to the database; granian's own number is hundreds.
    exec granian --interface wsgi --http 1 --host "$HOST" --port "$PORT" --workers 1 \
      --blocking-threads "${WEB_CONCURRENCY:-3}" --respawn-failed-workers --workers-kill-timeout 10 \
      techtrack.config.wsgi:application
    ;;
  asgi)
    wait_for_database
    # Else uvicorn takes our number of threads (WEB_CONCURRENCY) for a number of processes.
    exec uvicorn techtrack.config.asgi:application --host "$HOST" --port "$PORT" --workers 1 \
      --ws techtrack.config.sockets:LiveProtocol \
      --ws-max-size 65536 --ws-per-message-deflate false --no-access-log \
      --timeout-graceful-shutdown 10 --timeout-keep-alive 75 --no-server-header --no-proxy-headers
    ;;
  worker)
    wait_for_database
    exec techtrack "$@"
    ;;
  *)
    exec "$@"
    ;;
esac
