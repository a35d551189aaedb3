#!/usr/bin/env bash
# How cost grows with ports and links.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
usage() {
	cat <<-'END'
	usage: tests/Benchmarks/scale.sh [PORTS] [RUNNING]

	Makes PORTS (1000) ports and half as many links with one 'interguest apply',
	runs guests on RUNNING (200) of them, and prints: the time to make and to
	remove them, memory and descriptors per port, CPU while all links are silent,
	the latency of a frame after silence, and the rate of 1 to 64 busy links in
	one loop.
	END
}
[[ ${1:-} != -* ]] || { usage; exit 0; }
ports=${1:-1000} running=${2:-200}

[[ -x $root/bin/interguest-switch ]] || "$root/deploy/build.sh" >&2
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build "$root/tests/Benchmarks" -c Release -nodeReuse:false -p:UseSharedCompilation=false -v quiet -clp:ErrorsOnly >&2
benchmarks=$root/tests/Benchmarks/bin/Release/net10.0/InterGuest.Benchmarks.dll

directory=$(mktemp -d) pid=
finish() {
	[[ -z $pid ]] || { kill "$pid" && wait "$pid" || true; } 2>/dev/null
	rm -rf "$directory"
}
trap finish EXIT
ulimit -n "$(ulimit -Hn)"
control=unix:$directory/control.sock
"$root/bin/interguest-switch" --control "$control" --socket-dir "$directory/ports" --state-dir "$directory/state" 2>"$directory/log" >&2 &
pid=$!
interguest() { "$root/bin/interguest" --endpoint "$control" "$@"; }
for ((i = 0; i < 300; i++)); do interguest status >/dev/null 2>&1 && break; sleep 0.1; done
sleep 2 # its start is over

{
	echo 'ports:'
	for ((i = 0; i < ports; i++)); do echo "  p$i: {}"; done
	echo 'links:'
	for ((i = 0; i + 1 < ports; i += 2)); do echo "  l$i: {ports: [p$i, p$((i + 1))]}"; done
} >"$directory/topology.yaml"
resident() { awk '/VmRSS/ {print $2}' "/proc/$pid/status"; }
descriptors() { ls "/proc/$pid/fd" | wc -l; }
now() { date +%s%N; }

memory=$(resident) files=$(descriptors) started=$(now)
interguest apply "$directory/topology.yaml" >/dev/null
made=$(($(now) - started))
printf 'ports: %d, with %d links, made in %d ms; %d KiB and %s descriptors each\n' "$ports" $((ports / 2)) $((made / 1000000)) \
	$((($(resident) - memory) / ports)) "$(awk -v n=$(($(descriptors) - files)) -v p="$ports" 'BEGIN {printf "%.1f", n / p}')"
sockets=()
for ((i = 0; i < running; i++)); do sockets+=("$directory/ports/p$i.sock"); done
dotnet "$benchmarks" guests "$pid" "${sockets[@]}"
printf 'ports: {}\n' >"$directory/empty.yaml"
started=$(now)
interguest apply "$directory/empty.yaml" --prune >/dev/null
printf 'ports: all removed in %d ms\n' $((($(now) - started) / 1000000))
kill "$pid" && wait "$pid" || true
pid=
dotnet "$benchmarks" loop
