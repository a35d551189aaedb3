#!/usr/bin/env bash
# interguest.sh P0 P1: the switch with two ports on these sockets, and a link between them.
# QUEUES=1: queue pairs of each.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
state=$(mktemp -d "$(dirname "$1")/interguest.XXXXXX")
cat >"$state/topology.yaml" <<END
ports:
  a: {socket_path: $1, queue_pairs: ${QUEUES:-1}}
  b: {socket_path: $2, queue_pairs: ${QUEUES:-1}}
links:
  l: {ports: [a, b]}
END
exec "${BIN:-$root/bin}/interguest-switch" --control "unix:$state/control.sock" --socket-dir "$state" --state-dir "$state" \
	--topology "$state/topology.yaml" --loops 1
