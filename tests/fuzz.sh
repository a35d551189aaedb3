#!/usr/bin/env bash
# Runs the fuzzers for longer than the tests do.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/fuzz.sh [--seed N] [--keep] MINUTES [FUZZER...]

	Runs each fuzzer (all of them, if none is named) for so many minutes, one
	after the other. An input that fails is written to artifacts/fuzz/FUZZER/, and
	the line to run it again is printed; once understood, it belongs in
	tests/Fuzz/corpus/regressions/FUZZER/, where a test runs it for ever.

	  --seed N  the same seed makes the same cases; otherwise a new one, printed
	  --keep    adds inputs that did something new to tests/Fuzz/corpus

	  tests/fuzz.sh 10              # all, ten minutes each
	  tests/fuzz.sh 60 chains net   # two of them, for an hour each

	A case that ends the process leaves its input in artifacts/fuzz/FUZZER/running-*.
	Exit status 0: nothing was found; 1: something was; 2: wrong usage.
	END
}

seed=$RANDOM keep=()
while [[ ${1:-} == -* ]]; do
	case $1 in
	--seed) (($# >= 2)) || { usage >&2; exit 2; }; seed=$2; shift 2 ;;
	--keep) keep=(--keep); shift ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
[[ ${1:-} =~ ^[0-9]+([.][0-9]+)?$ ]] || { usage >&2; exit 2; }
minutes=$1
shift
fuzzers=()
for name; do fuzzers+=(--fuzzer "$name"); done

compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build "$root/tests/Fuzz" -c Release -nodeReuse:false -p:UseSharedCompilation=false -v quiet -clp:ErrorsOnly
echo "fuzz: seed $seed, $minutes minutes each"
exec dotnet "$root/tests/Fuzz/bin/Release/net10.0/InterGuest.Fuzz.dll" --seed "$seed" --minutes "$minutes" "${keep[@]}" "${fuzzers[@]}"
