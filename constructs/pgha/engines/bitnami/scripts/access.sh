#!/bin/sh
# Makes roles, databases and privileges what the cluster file says; may run any number of times.
#
# Environment: PGHOST (every node, comma-separated), PGUSER, PGPASSWORD, and a PGHA_PASSWORD_… per role, from
# Secrets; SQL (the statements), NAMES (synchronous_standby_names, empty for asynchronous), WAIT (seconds).
set -eu
# With a standby away, a synchronous commit would wait for ever: also that of the statement which ends the waiting.
export PGOPTIONS='-c synchronous_commit=local'

primary() {
    PGTARGETSESSIONATTRS=primary PGCONNECT_TIMEOUT=3 psql --no-psqlrc --quiet --dbname postgres "$@"
}

deadline=$(($(date +%s) + WAIT))
until primary --command 'SELECT' >/dev/null 2>&1; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "no primary among $PGHOST after $WAIT s" >&2
        primary --command 'SELECT' >/dev/null # says why
        exit 1
    fi
    sleep 2
done

primary --set ON_ERROR_STOP=1 --file "$SQL" >/dev/null

# On every node, so that it holds after a failover; the image would write it on the first primary only.
away=
for host in $(echo "$PGHOST" | tr , ' '); do
    PGCONNECT_TIMEOUT=3 psql --no-psqlrc --quiet --host "$host" --dbname postgres --set ON_ERROR_STOP=1 \
        --set names="$NAMES" >/dev/null <<'SQL' || away="$away $host"
ALTER SYSTEM SET synchronous_standby_names = :'names';
SELECT pg_reload_conf();
SQL
done
if [ -n "$away" ] && [ -n "$NAMES" ]; then
    echo "not set to replicate synchronously, should it be the primary one day:$away" >&2
    exit 1
fi
echo "roles, databases and privileges are as the cluster file says"
