#!/bin/sh
# Dumps every database of the primary, and keeps the good dumps of some days.
#
# Environment: PGHOST (every server, comma-separated), PGUSER, PGPASSWORD, FOLDER (where dumps go),
# KEEP (days, and the number of dumps that stay however old they are), SKIP (databases to leave out, comma-separated).
#
# A dump appears under its name in one step, when all of it is written, flushed and read back: what is called
# backup-… is whole. Old ones go only after a new one has come.
set -eu
umask 077
export LC_ALL=C PGTARGETSESSIONATTRS=primary PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}"

name=backup-$(date -u +%Y%m%d-%H%M%S)
part=$FOLDER/.part-$name
trap 'rm -rf "$part"' EXIT
trap 'exit 143' HUP INT TERM

fail() {
    echo "backup failed: $1" >&2
    exit 1
}

query() {
    psql --no-psqlrc --no-password --quiet --tuples-only --no-align --dbname postgres --set ON_ERROR_STOP=1 \
        --set skip="$SKIP" 2>&1
}

newest() {
    found=
    for each in "$FOLDER"/backup-*; do
        [ -d "$each" ] && found=$each
    done
    echo "$found"
}

# 1. What there is.
databases=$(query <<'SQL'
SELECT datname FROM pg_database
WHERE datallowconn AND NOT datistemplate AND datname <> ALL (string_to_array(:'skip', ',')) ORDER BY datname;
SQL
) || fail "$databases"
bytes=$(query <<'SQL'
SELECT sum(pg_database_size(oid)) FROM pg_database;
SQL
) || fail "$bytes"

# 2. Room for it: half as much again as the last dump took, or as much as the databases take.
find "$FOLDER" -maxdepth 1 -name '.part-backup-*' -mmin +1440 -exec rm -rf {} +
last=$(newest)
if [ -n "$last" ]; then
    needed=$(($(du -sk "$last" | cut -f1) * 3 / 2 + 1024))
else
    needed=$((bytes / 1024))
fi
free=$(df -Pk "$FOLDER" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$needed" ] || fail "$FOLDER has $((free / 1024)) MiB free, and $((needed / 1024)) MiB are needed; nothing was deleted"

# 3. The dump.
mkdir "$part"
pg_dumpall --no-password --database postgres --globals-only --no-role-passwords --file "$part/globals.sql" \
    || fail "roles and settings"
grep -q 'cluster dump complete' "$part/globals.sql" || fail "globals.sql is not whole"
echo "$databases" >"$part/databases"
while IFS= read -r database; do
    file=$(printf '%s' "$database" | tr / _).dump
    PGDATABASE=$database pg_dump --no-password --format=custom --file "$part/$file" || fail "database $database"
    pg_restore --list "$part/$file" >/dev/null || fail "the dump of $database cannot be read back"
done <"$part/databases"
(cd "$part" && sha256sum -- *.dump globals.sql databases >SHA256SUMS)
sync "$part"/* "$part"
mv "$part" "$FOLDER/$name"
sync "$FOLDER"
echo "$name: $(du -sk "$FOLDER/$name" | cut -f1) KiB, $(wc -l <"$FOLDER/$name/databases") databases"

# 4. What is both older than KEEP days (less an hour, since no two nights are equally long) and not among the
# newest KEEP goes.
cutoff=backup-$(date -u -d "-$KEEP days +1 hour" +%Y%m%d-%H%M%S)
set -- "$FOLDER"/backup-*
left=$#
for old in "$@"; do
    [ "$left" -gt "$KEEP" ] || break
    if expr "${old##*/}" \< "$cutoff" >/dev/null; then
        rm -rf "$old"
        echo "${old##*/}: deleted, it is older than $KEEP days"
    fi
    left=$((left - 1))
done
