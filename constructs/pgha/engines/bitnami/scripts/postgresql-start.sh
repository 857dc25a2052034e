#!/bin/sh
# Starts the image's own program. Usage: postgresql-start.sh SECONDS PROGRAM ARGUMENT...
#
# At its start the image asks the other servers once who the primary is, and a server that was it goes on as one when
# nobody else is yet. If repmgr promotes a standby a moment later, there are two. So a server that was the primary
# first waits for as long as a promotion may take, and starts at once when there is a new one.
#
# Environment, by the chart: POSTGRES_USER, POSTGRES_PASSWORD, REPMGR_PARTNER_NODES (comma-separated, itself too),
# REPMGR_NODE_NETWORK_NAME, REPMGR_PORT_NUMBER. PGHA_LOCK is what the image leaves in the volume of a primary.
set -u

deadline=$(($(date +%s) + $1))
while [ -f "${PGHA_LOCK:-/bitnami/postgresql/lock/master.lock}" ] && [ "$(date +%s)" -lt "$deadline" ]; do
    for node in $(echo "$REPMGR_PARTNER_NODES" | tr ',;' '  '); do
        [ "$node" != "$REPMGR_NODE_NETWORK_NAME" ] || continue
        answer=$(PGPASSWORD="$POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=2 timeout 4 psql --no-password --no-psqlrc \
            --username "$POSTGRES_USER" --dbname postgres --host "$node" --port "$REPMGR_PORT_NUMBER" \
            --tuples-only --no-align --command 'SELECT pg_is_in_recovery()' 2>/dev/null)
        if [ "$answer" = f ]; then
            echo "$node is the primary now"
            deadline=0
        fi
    done
    [ "$deadline" = 0 ] || sleep 1
done

shift
exec "$@"
