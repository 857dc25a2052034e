#!/bin/sh
# Should this server go on running? Exit 1: no, restart it. It does not answer; or it is a primary that has been
# replaced: another one has a newer timeline. Nothing else stops that one. Started again it finds the new primary and
# clones it.
#
# Environment: see postgresql-start.sh.
set -u

pg_isready -q -h 127.0.0.1 -p "$REPMGR_PORT_NUMBER" -t 3
case $? in
    0) ;;
    1) exit 0 ;; # it refuses for now: it starts, stops or recovers, and killing it would begin that anew
    *) exit 1 ;;
esac

timeline() {
    PGPASSWORD="$POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=2 timeout 4 psql --no-password --no-psqlrc \
        --username "$POSTGRES_USER" --dbname postgres --host "$1" --port "$REPMGR_PORT_NUMBER" --tuples-only --no-align \
        --command "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END" \
        2>/dev/null
}

own=$(timeline 127.0.0.1)
[ -n "$own" ] || exit 0 # a standby, or too busy to say
for node in $(echo "$REPMGR_PARTNER_NODES" | tr ',;' '  '); do
    [ "$node" != "$REPMGR_NODE_NETWORK_NAME" ] || continue
    theirs=$(timeline "$node")
    if [ -n "$theirs" ] && expr "x$theirs" \> "x$own" >/dev/null; then
        echo "$node is a primary of timeline $theirs, and this server is one of timeline $own: it has been replaced"
        exit 1
    fi
done
exit 0
