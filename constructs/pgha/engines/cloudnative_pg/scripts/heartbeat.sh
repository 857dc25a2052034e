# Writes to the primary every few seconds, so that a cluster without clients heals after a failover.
#
# Environment: what libpq reads; CONNECTION (the rest of it); SQL (statements, the last of which repeats for ever).
# psql ends when its server does; the next one finds the next primary.
while :; do
    printf '%s\n' "$SQL" | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$CONNECTION" --file - >/dev/null
    sleep 1
done
