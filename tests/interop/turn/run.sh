#!/bin/sh
# Runs our TURN client against coturn in a network of its own: lo with addresses of documentation,
# because coturn relays to no loopback address. What coturn writes goes to a directory that ends
# with this script, as every process does.
#
#     run.sh PROGRAM
#
# TURN_LOG=1 shows what coturn says.
set -eu
PATH=$PATH:/usr/sbin:/sbin

fail()
{
    echo "run.sh: $*" >&2
    exit 2
}

[ $# -eq 1 ] && [ -x "$1" ] || fail "usage: run.sh PROGRAM"
command -v turnserver >/dev/null || fail "needs coturn"
TURN_DIR=$(mktemp -d)
export TURN_DIR
trap 'rm -rf "$TURN_DIR"' EXIT
trap 'exit 2' INT TERM
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=turn.example.org -keyout "$TURN_DIR/key.pem" -out "$TURN_DIR/cert.pem" 2>/dev/null ||
    fail "openssl made no certificate"

# Without root the same as root of a user namespace.
as_root=
[ "$(id -u)" = 0 ] || as_root="--user --map-root-user"

# shellcheck disable=SC2086,SC2016
unshare $as_root --net --pid --fork --kill-child --mount --mount-proc sh -euc '
    ip link set lo up
    ip address add 192.0.2.1/32 dev lo
    ip address add 192.0.2.2/32 dev lo
    ip -6 address add 2001:db8::1/128 dev lo
    exec "$1"
' sh "$1"
