#!/bin/sh
# Is this server fit for clients? Exit 0: it is a primary, or a standby that follows one closely.
# Usage: postgresql-ready.sh MAXIMAL_LAG_IN_SECONDS
#
# A standby without a WAL receiver follows nobody, however recent its data; one that has replayed all that it
# received lags by nothing, however long ago the last write was.
set -u

answer=$(PGPASSWORD="$POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=3 timeout 4 psql --no-password --no-psqlrc \
    --username "$POSTGRES_USER" --dbname postgres --host 127.0.0.1 \
    --tuples-only --no-align --command "
    SELECT CASE
        WHEN NOT pg_is_in_recovery() THEN 'ready'
        WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 'no primary to follow'
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 'ready'
        WHEN clock_timestamp() - pg_last_xact_replay_timestamp() > interval '$1 seconds' THEN 'too far behind'
        ELSE 'ready'
    END" 2>&1)

case $answer in
    ready | *'too many clients'* | *'remaining connection slots'*) exit 0 ;;
esac
echo "${answer:-no answer within 4 s}"
exit 1
