# Makes the privileges in one database what the cluster file says, as its owner; may run any number of times.
#
# Environment: PGHOST, PGDATABASE, PGUSER, PGPASSWORD and what else libpq reads; SQL (the statements), WAIT (seconds).
# The database, its owner and the other roles are the operator's work, and may not be there yet: it is tried again.
set -eu
# With a standby away, a synchronous commit would wait for ever.
export PGOPTIONS='-c synchronous_commit=local' PGTARGETSESSIONATTRS=read-write PGCONNECT_TIMEOUT=5

deadline=$(($(date +%s) + WAIT))
until printf '%s\n' "$SQL" | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --file - >/dev/null; do
    [ "$(date +%s)" -lt "$deadline" ] || exit 1
    sleep 2
done
echo "privileges in $PGDATABASE are as the cluster file says"
