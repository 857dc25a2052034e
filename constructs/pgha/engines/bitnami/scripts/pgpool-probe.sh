#!/bin/sh
# Does Pgpool-II lead to a primary? Exit 0: yes, or it is only busy. Usage: pgpool-probe.sh live|ready
#
# Pgpool-II does not notice when the roles of its backends are swapped behind it; it then serves a standby as the
# primary until it is restarted. So a Pgpool-II that leads to a standby is neither ready nor, for long, alive.
# A full one must not be restarted for that: it would cut off the clients that it serves.
set -u

if [ "$1" = live ]; then
    # The image's own check takes backends back that are up again; its verdict is not needed.
    timeout 5 /opt/bitnami/scripts/pgpool/healthcheck.sh >/dev/null 2>&1
fi

answer=$(PGPASSWORD="$PGPOOL_POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=3 timeout 4 psql --no-password --no-psqlrc \
    --username "$PGPOOL_POSTGRES_USERNAME" --dbname postgres --host /opt/bitnami/pgpool/tmp \
    --tuples-only --no-align --command 'SELECT pg_is_in_recovery()' 2>&1)

case $answer in
    f) exit 0 ;;
    *'too many clients'* | *'remaining connection slots'*) exit 0 ;;
    t) echo "the backend that Pgpool-II takes for the primary is a standby" ;;
    '') echo "no answer within 4 s" ;;
    *) echo "$answer" ;;
esac
exit 1
