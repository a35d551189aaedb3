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
	the latency of a frame after silence, the rate of 1 to 64 busy links in one
	loop, and that of 1 to 8 queue pairs of one link, under DPDK's virtio-user.
	END
}
[[ ${1:-} != -* ]] || { usage; exit 0; }
ports=${1:-1000} running=${2:-200}

"$root/deploy/setup.sh" tests >&2
"$root/deploy/build.sh" >&2
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build "$root/tests/Benchmarks" -c Release -nodeReuse:false -p:UseSharedCompilation=false -v quiet -clp:ErrorsOnly >&2
benchmarks=$root/tests/Benchmarks/bin/Release/net10.0/InterGuest.Benchmarks.dll

# shellcheck source=../vms.sh
. "$root/tests/vms.sh"
trap end_run EXIT
ulimit -n "$(ulimit -Hn)"
begin_run scale
sleep 2 # its start is over

pairs_of_ports "$ports" >"$run/topology.yaml"
resident() { awk '/VmRSS/ {print $2}' "/proc/$switch_pid/status"; }
descriptors() { ls "/proc/$switch_pid/fd" | wc -l; }
now() { date +%s%N; }

memory=$(resident) files=$(descriptors) started=$(now)
interguest apply "$run/topology.yaml" >/dev/null
made=$(($(now) - started))
printf 'ports: %d, with %d links, made in %d ms; %d KiB and %s descriptors each\n' "$ports" $((ports / 2)) $((made / 1000000)) \
	$((($(resident) - memory) / ports)) "$(awk -v n=$(($(descriptors) - files)) -v p="$ports" 'BEGIN {printf "%.1f", n / p}')"
sockets=()
for ((i = 0; i < running; i++)); do sockets+=("$run/ports/p$i.sock"); done
dotnet "$benchmarks" guests "$switch_pid" "${sockets[@]}"
printf 'ports: {}\n' >"$run/empty.yaml"
started=$(now)
interguest apply "$run/empty.yaml" --prune >/dev/null
printf 'ports: all removed in %d ms\n' $((($(now) - started) / 1000000))
end_switch TERM
switch_pid=
dotnet "$benchmarks" loop
printf '%16s%12s%14s%14s\n' 'queue pairs' '64 B, Mpps' '1518 B, Mpps' 'CPUs'
for pairs in 1 2 4 8; do
	# Of the turns in which the CPUs were placed as in most of them.
	"$root/tests/Benchmarks/net/measure.sh" -Q "$pairs" -s '64 1518' -r 5 -- "$root/tests/Benchmarks/net/interguest.sh" |
		sort -n -k 8 | awk -v pairs="$pairs" '
			$2 ~ /^[0-9]/ { turns[$2, $5, ++n[$2, $5]] = $8 / 1e6; if (n[$2, $5] > n[$2, most[$2]]) most[$2] = $5 }
			function median(size) { return turns[size, most[size], int((n[size, most[size]] + 1) / 2)] }
			END { printf "%16d%12.2f%14.2f%14s\n", pairs, median(64), median(1518), most[64] == most[1518] ? most[64] : most[64] "/" most[1518] }'
done
