#!/usr/bin/env bash
# How long frames wait for the switch while many look at it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/pauses.sh [COUNT [LOOKERS]]

	Two processes send one frame to and fro, COUNT times (100000), three times over:
	alone; while LOOKERS (4) 'interguest top' ask for everything ten times a second
	each, as many 'interguest watch' follow, and /metrics is read without end, with
	200 ports there; and while as many look in the same way at another switch, which
	tells what is only because all of it shares this machine's CPUs.
	Prints the round trips' median, 99.9th percentile and longest, and what .NET's
	garbage collector did in the switch meanwhile.
	END
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
count=${1:-100000} lookers=${2:-4} PORTS=200 METRICS=19464 OTHER_METRICS=19465
"$root/deploy/build.sh" >&2
# shellcheck source=../vms.sh
. "$root/tests/vms.sh"
pids=() looking=()
finish() {
	kill "${pids[@]}" "${looking[@]}" 2>/dev/null || true
	end_run
}
trap finish EXIT
switch_options=(--metrics "$METRICS")
begin_run pauses
pairs_of_ports "$PORTS" >"$run/topology.yaml"
interguest apply "$run/topology.yaml" >/dev/null
interguest-agent sink --port "$run/ports/p1.sock" </dev/null >/dev/null 2>&1 &
pids+=($!)

collector() { # collections and seconds of pauses so far
	curl -s "http://127.0.0.1:$METRICS/metrics" | awk '/^dotnet_gc_collections_total/ {n += $2} /^dotnet_gc_pause_time/ {s = $2} END {print n + 0, s + 0}'
}

measure() { # WHAT
	local before after json
	before=$(collector)
	json=$(interguest-agent ping --port "$run/ports/p0.sock" --interval 0 --count "$count" --quiet --json 2>>"$run/ping.log")
	after=$(collector)
	jq -r --arg what "$1" --arg before "$before" --arg after "$after" '
		($before | split(" ") | map(tonumber)) as $b | ($after | split(" ") | map(tonumber)) as $a
		| "\($what): round trips \(.received), median \(.p50) us, 99.9 % \(.p999) us, longest \(.max) us; \($a[0] - $b[0]) collections, \((($a[1] - $b[1]) * 1e6) | floor) us of pauses in all"' <<<"$json"
}

look_at() { # ENDPOINT METRICS
	local i
	for ((i = 0; i < lookers; i++)); do
		interguest --endpoint "$1" top --json --interval 0.1 >/dev/null 2>&1 &
		looking+=($!)
		interguest --endpoint "$1" watch --json >/dev/null 2>&1 &
		looking+=($!)
	done
	while curl -s -o /dev/null "http://127.0.0.1:$2/metrics"; do sleep 0.05; done &
	looking+=($!)
	sleep 2 # they have all begun
}

look_away() {
	kill "${looking[@]}"
	{ wait "${looking[@]}" || true; } 2>/dev/null
	looking=()
}

measure alone
look_at "$INTERGUEST_ENDPOINT" "$METRICS"
measure "while $lookers look"
look_away

other=$run/other
mkdir "$other"
"$root/bin/interguest-switch" --control "unix:$other/control.sock" --socket-dir "$other/ports" --state-dir "$other/state" \
	--metrics "$OTHER_METRICS" </dev/null >>"$run/other.log" 2>&1 &
pids+=($!)
wait_until 30 "another switch" interguest --endpoint "unix:$other/control.sock" port list
interguest --endpoint "unix:$other/control.sock" apply "$run/topology.yaml" >/dev/null
look_at "unix:$other/control.sock" "$OTHER_METRICS"
measure "while $lookers look at another switch"
