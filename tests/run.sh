#!/usr/bin/env bash
# Sets up what is missing, builds all, and runs every test.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/run.sh [--filter EXPRESSION]

	Installs what the tests need and this machine lacks (deploy/setup.sh tests),
	builds the programs, the guest and the tests, and runs them all: unit tests,
	then real VMs under QEMU and DPDK on the real switch.

	Each fuzzer runs for FUZZ_SECONDS (60), the flip test for FLIP_SECONDS (20);
	tests/fuzz.sh runs the fuzzers for longer.

	  --filter EXPRESSION  only these, as 'dotnet test --filter' takes it,
	                       e.g. --filter FullyQualifiedName~Virtio

	Exit status 0 only if no test failed. The last line is
	"N passed, N failed, N skipped"; results in artifacts/tests.
	END
}

filter=()
case ${1:-} in
'') ;;
--filter) (($# == 2)) || { usage >&2; exit 2; }; filter=(--filter "$2") ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

say() { printf 'tests: %s\n' "$*"; }

"$root/deploy/setup.sh" tests
compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
export FUZZ_SECONDS=${FUZZ_SECONDS:-60} FLIP_SECONDS=${FLIP_SECONDS:-20}

"$root/deploy/build.sh"
for guest in '' --disks --server; do
	# shellcheck disable=SC2086 # none, or one word
	"$root/deploy/guest/build.sh" $guest
done
say "building the tests"
# No build servers that would outlive this script.
dotnet build "$root/InterGuest.sln" -nodeReuse:false -p:UseSharedCompilation=false -v quiet -clp:ErrorsOnly

results=$root/artifacts/tests
rm -rf "$results"
mkdir -p "$results"
status=0
# One project after the other: those with VMs need the machine for themselves.
for project in "$root"/tests/*.Tests; do
	name=$(basename "$project")
	say "$name"
	dotnet test "$project" --no-build -nodeReuse:false --results-directory "$results" --logger "trx;LogFileName=$name.trx" \
		--logger "console;verbosity=minimal" --blame-hang-timeout 10m --blame-hang-dump-type none "${filter[@]}" || status=1
done

# A project that was to run and has no results died on the way.
for project in "$root"/tests/*.Tests; do
	name=$(basename "$project")
	[[ -s $results/$name.trx || ${#filter[@]} -gt 0 ]] || { say "$name has no results"; status=1; }
done
counter() { # NAME: the sum of an attribute of all <Counters .../>
	cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*>' | sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" | awk '{n += $1} END {print n + 0}'
}
total=$(counter total) executed=$(counter executed) passed=$(counter passed)
((total > 0)) || { say "no test ran"; status=1; }
((executed == passed)) || status=1
echo "$passed passed, $((executed - passed)) failed, $((total - executed)) skipped"
exit "$status"
