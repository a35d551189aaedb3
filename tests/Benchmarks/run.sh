#!/usr/bin/env bash
# Packets between two guests: the switch beside DPDK's, in one run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
net=$root/tests/Benchmarks/net

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/run.sh [-R ROUNDS] [-o DIR] [options of net/measure.sh]

	Runs DPDK's own vhost switch (A, which polls one CPU) and InterGuest (B, on the
	same CPU) under the same guests, which are DPDK's virtio-user on the other CPU,
	in turns of a third of a second: A B B A ... In each round both start anew, in
	the other order. Prints a table of medians and of the ratio B/A, turn by turn,
	and writes raw.tsv, table.md and ratios.svg to DIR (artifacts/benchmarks).

	  -R ROUNDS  starts of both (5)
	  -s SIZES   frame sizes (64 256 512 1024 1518 9000 65000)
	  -m MODES   split+mrg packed+mrg; see net/measure.sh -h
	  -t TRAFFIC oneway twoway pingpong flood (oneway pingpong flood)
	  -r TURNS   of each at each point, in each round (6)
	  -A CMD     another switch as A, e.g. net/interguest.sh: then the ratio is the
	             error of the method

	Wants two CPUs and nothing else running. Frames that were lost, cut or never
	sent make it fail; so do payloads, at the end, that are not as they were sent. Exit status: 0 measured; 1 a run failed; 2 wrong usage.
	END
}

rounds=5 out=$root/artifacts/benchmarks peer=$net/dpdk.sh
sizes="64 256 512 1024 1518 9000 65000" modes="split+mrg packed+mrg" traffic="oneway pingpong flood" turns=6 pass=()
while getopts R:o:s:m:t:r:n:w:A:q:Q:p:g:c:M:N:F:Sh option; do
	case $option in
	R) rounds=$OPTARG ;;
	o) out=$OPTARG ;;
	s) sizes=$OPTARG ;;
	m) modes=$OPTARG ;;
	t) traffic=$OPTARG ;;
	r) turns=$OPTARG ;;
	A) peer=$OPTARG ;;
	S) pass+=(-S) ;;
	h) usage; exit 0 ;;
	'?') usage >&2; exit 2 ;;
	*) pass+=("-$option" "$OPTARG") ;;
	esac
done
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }

"$root/deploy/setup.sh" tests >&2
"$root/deploy/build.sh" >&2
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build "$root/tests/Benchmarks" -c Release -nodeReuse:false -p:UseSharedCompilation=false -v quiet -clp:ErrorsOnly >&2
mkdir -p "$out"
raw=$out/raw.tsv failed=0
: >"$raw"

trap 'exit 130' INT TERM
for ((round = 1; round <= rounds; round++)); do
	# Who starts second has other memory: each in turn.
	if ((round % 2)); then pair=("$peer" -- "$net/interguest.sh") names=AB; else pair=("$net/interguest.sh" -- "$peer") names=BA; fi
	"$net/measure.sh" -s "$sizes" -m "$modes" -t "$traffic" -r "$turns" "${pass[@]}" -- "${pair[@]}" |
		sed "1d; y/AB/$names/; s/^/$round\t/" >>"$raw" || failed=1
	printf 'round %d of %d\n' "$round" "$rounds" >&2
done
"$net/payloads.sh" "$sizes" "$modes" >&2 || failed=1
dotnet "$root/tests/Benchmarks/bin/Release/net10.0/InterGuest.Benchmarks.dll" compare "$raw" "$out/ratios.svg" | tee "$out/table.md"
exit "$failed"
