#!/bin/sh
# Runs our peer against a foreign one in a network of their own (alone.sh).
#
#     run.sh FOREIGN offer|answer PEER
#
# FOREIGN is aiortc, chromium, or chromium with more: -mdns hides its addresses; -sped, -snap and
# -short turn on DTLS in checks, SCTP's INIT in the description, or both, and the test fails unless
# just those were used; -woven turns on I-DATA. Behind a plus sign comes what our end does without:
# chromium-woven+i-data. The test fails unless just those extensions of SCTP are in use that both
# ends have. The role is the foreign peer's. PEER is the program of peer.c. BYTES go out
# on each of the eight channels and come back: HAWSER_INTEROP_MIB MiB (1) unless it is set. DEADLINE
# is in seconds, by default enough for a foreign peer of 5 Mbit/s. The exit status is the driver's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${BYTES:=$((${HAWSER_INTEROP_MIB:-1} * 1048576))}"
: "${DEADLINE:=$((60 + BYTES * 30 / 1048576))}"

fail()
{
    echo "run.sh: $*" >&2
    exit 2
}

[ $# -eq 3 ] || fail "usage: run.sh FOREIGN offer|answer PEER"
foreign=${1%%+*} without=none role=$2 peer=$3
case $1 in *+*) without=${1#*+} ;; esac
[ -x "$peer" ] || fail "$peer is not a program"
case $role in
offer) ours=answer ;;
answer) ours=offer ;;
*) fail "the role is offer or answer, not $role" ;;
esac

case $foreign in
aiortc)
    # Debian's Python, which has Debian's aiortc.
    set -- /usr/bin/python3 "$here/aiortc_driver.py"
    ;;
chromium | chromium-mdns | chromium-sped | chromium-snap | chromium-short | chromium-woven)
    # The namespace has no way to the registry, so what is missing is fetched before.
    [ -d "$here/chromium/node_modules/playwright-core" ] ||
        npm --prefix "$here/chromium" ci --ignore-scripts >&2
    set -- node "$here/chromium/driver.mjs"
    ;;
*) fail "unknown peer $foreign" ;;
esac
sped=WebRTC-IceHandshakeDtls snap=WebRTC-Sctp-Snap expected=none
woven=WebRTC-DataChannelMessageInterleaving agreed=forward-tsn
case $foreign in
*-mdns) set -- "$@" --mdns ;;
*-sped) expected=sped && set -- "$@" --trials "$sped" ;;
*-snap) expected=snap && set -- "$@" --trials "$snap" ;;
*-short) expected=both && set -- "$@" --trials "$sped,$snap" ;;
*-woven) agreed=i-data,forward-tsn && set -- "$@" --trials "$woven" ;;
esac
case $without in
*i-data*forward-tsn* | *forward-tsn*i-data*) agreed=none ;;
*i-data*) agreed=forward-tsn ;;
*forward-tsn*) agreed=${agreed%forward-tsn} ;;
esac
set -- "$@" --role "$role" --deadline "$DEADLINE" \
    "$peer" "--$ours" --bytes "$BYTES" --deadline "$DEADLINE" --expect "$expected" \
    --without "$without" --agreed "${agreed:-none}"

exec "$here/alone.sh" "$@"
