#!/usr/bin/env bash
# Verifies the models with spin, and that each error put in on purpose is found.
set -euo pipefail

usage() {
	cat <<-'END'
	usage: tests/models/verify.sh [MODEL [VARIANT]]

	Checks notification.pml and handover.pml exhaustively with spin: as they are
	nothing may be found, and with each of the errors that they describe something
	must be. With arguments: only MODEL, and its VARIANT if it has one.

	Needs spin and a C compiler (deploy/setup.sh tests).
	Exit status: 0 as it should be; 1 not; 2 wrong usage; 3 spin or the compiler is
	missing.
	END
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for program in spin gcc; do
	command -v "$program" >/dev/null || { echo "models: $program is missing; deploy/setup.sh tests installs it" >&2; exit 3; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

errors_in() { # MODEL DEFINES...: the number of errors spin finds
	local model=$1 out
	shift
	(cd "$work" && spin -a "${@/#/-D}" "$here/$model.pml" >/dev/null && gcc -O1 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c)
	out=$(cd "$work" && ./pan -m1000000 -c1)
	# A search that was cut off has shown nothing.
	! grep -q 'max search depth too small\|out of memory' <<<"$out" || { echo "models: $model: the search is not exhaustive" >&2; exit 1; }
	sed -n 's/.*errors: \([0-9]*\).*/\1/p' <<<"$out"
}

status=0
check() { # MODEL DEFINES...: sound as it is; with an error among the defines, not
	local model=$1 variant=$2 error=$3 found
	found=$(errors_in "$model" $variant $error)
	if [[ -z $error && $found == 0 ]]; then
		echo "models: $model${variant:+ with $variant}: holds"
	elif [[ -n $error && $found -gt 0 ]]; then
		echo "models: $model${variant:+ with $variant}: $error is found"
	else
		echo "models: $model${variant:+ with $variant}${error:+ and $error}: $found errors found" >&2
		status=1
	fi
}

verify() { # MODEL VARIANT: as it is, and with each error
	local error errors
	case $1 in
	notification) errors="NO_RECHECK NO_DRIVER_RECHECK NO_FENCE NO_PUBLISH_FENCE ${2:+LATE_EVENT}" ;;
	handover) errors="NO_WAIT NO_FIRST_LOOK WAKE_FIRST NO_CHECK" ;;
	*) usage >&2; exit 2 ;;
	esac
	check "$1" "$2" ''
	for error in $errors; do check "$1" "$2" "$error"; done
}

if (($#)); then
	verify "$1" "${2:-}"
else
	verify notification ''
	verify notification EVENT_IDX
	verify handover ''
fi
exit "$status"
