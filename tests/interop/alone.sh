#!/bin/sh
# alone.sh COMMAND [ARGUMENT...]: runs it in a network of its own: lo, and a veth with an IPv4 and
# an IPv6 address, because browsers and aiortc offer nothing on lo alone. The network and every
# process in it end with this script, however it ends. The exit status is the command's.
set -eu

# Without root the same as root of a user namespace.
as_root=
[ "$(id -u)" = 0 ] || as_root="--user --map-root-user"

# shellcheck disable=SC2086,SC2016
exec unshare $as_root --net --pid --fork --kill-child --mount --mount-proc sh -euc '
    ip link set lo up
    ip link add veth0 type veth peer name veth1
    ip address add 10.99.0.1/24 dev veth0
    ip -6 address add fd99::1/64 dev veth0 nodad
    ip link set veth0 up
    ip link set veth1 up
    # To nowhere, but Chromium offers only addresses that a default route would use.
    ip route add default via 10.99.0.2 dev veth0
    ip -6 route add default via fd99::2 dev veth0
    exec "$@"
' sh "$@"
