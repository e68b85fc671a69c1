#!/bin/sh
# Of what the official image does at its start, that which docker-compose.postgres.yml asks for.
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username "$POSTGRES_USER" --pwfile /tmp/password --encoding UTF8 --auth-local trust --auth-host scram-sha-256
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl start --wait --silent --options "-c listen_addresses='' -c unix_socket_directories=/tmp"
  createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl stop --wait --silent
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
