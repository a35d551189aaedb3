#!/usr/bin/env bash
# Builds the switch, the agent and the command line for this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: deploy/build.sh [--force | --guest-agent]

	Publishes the switch, the agent and the command line (Release, for the
	installed .NET 10 runtime) below artifacts/ and makes bin/interguest-switch,
	bin/interguest-agent and bin/interguest, which run from anywhere. It does
	nothing if no source has changed.

	  --force        build although nothing has changed
	  --guest-agent  make artifacts/guest-agent/interguest-agent and nothing else: one
	                 file with the runtime inside, for a VM (deploy/guest/build.sh
	                 --agent). It needs glibc and libstdc++
	END
}

say() { printf 'build: %s\n' "$*"; }
fail() { printf 'build: %s\n' "$*" >&2; exit 1; }

force='' guest_agent=''
case ${1:-} in
'') ;;
--force) force=1 ;;
--guest-agent) guest_agent=1 ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

declare -A PROGRAMS=([interguest-switch]=Switch [interguest-agent]=Agent [interguest]=Cli)

# Apart from obj/ and bin/ of the projects: what a developer's own 'dotnet
# build' does at the same time, or restored for another runtime, is no matter.
build=$root/artifacts/build
log=$root/artifacts/build.log

# All that can make a difference, by name, size and time.
sources() {
	find "$root" \( -name bin -o -name obj -o -name artifacts -o -name tests -o -name docs -o -name '.*' ! -path "$root" \) -prune \
		-o -type f \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.targets' -o -name '*.proto' \
		-o -name '*.json' -o -name '*.resx' -o -name '*.txt' -o -name '*.snk' \) -printf '%P %s %T@\n' | LC_ALL=C sort
	cat "${BASH_SOURCE[0]}"
}

up_to_date() {
	local program
	[[ ! $force && $(cat "$build/.stamp" 2>/dev/null) = "$stamp" ]] || return 1
	for program in "${!PROGRAMS[@]}"; do [[ -x $root/bin/$program ]] || return 1; done
}

run_dotnet() {
	# No build servers that would outlive this script.
	dotnet "$@" --artifacts-path "$build" -nodeReuse:false -p:UseSharedCompilation=false >>"$log" 2>&1
}

publish() { # PROJECT
	local project=$root/$1/$1.csproj
	[[ -f $project ]] || fail "there is no $project"
	# ReadyToRun needs a compiler package that a restricted package source may
	# not have; without it the programs only start slower.
	if [[ $precompile = true ]] && ! run_dotnet restore "$project" -r "$runtime" -p:PublishReadyToRun=true; then
		say "note: no ReadyToRun compiler to be had; the programs will start slower"
		precompile=false
	fi
	run_dotnet publish "$project" -c Release -r "$runtime" --self-contained false -p:PublishReadyToRun=$precompile -p:DebugType=none &&
		return
	grep -E 'error|Error' "$log" | sort -u | head -n 20 >&2 || tail -n 20 "$log" >&2
	fail "dotnet publish of $1 failed; the whole log is $log"
}

# A starter, because a program of .NET looks for the runtime in a few fixed
# places only, and not where 'dotnet' in PATH is.
make_starter() { # PROGRAM PROJECT
	local directory name
	directory=artifacts/build/publish/$2/release_$runtime
	name=$(cd "$root/$directory" && ls ./*.runtimeconfig.json)
	name=${name#./}
	cat >"$root/bin/$1.new" <<-END
		#!/bin/sh
		# Made by deploy/build.sh.
		root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
		if [ -z "\$DOTNET_ROOT" ]; then
			dotnet=\$(dirname "\$(readlink -f "\$(command -v dotnet)")")
			[ ! -d "\$dotnet/host/fxr" ] || export DOTNET_ROOT="\$dotnet"
		fi
		exec "\$root/$directory/${name%.runtimeconfig.json}" "\$@"
	END
	chmod +x "$root/bin/$1.new"
	mv "$root/bin/$1.new" "$root/bin/$1"
}

mkdir -p "$build" "$root/bin"
exec 9>"$build/.lock"
flock 9
stamp=$(sources | sha256sum)
guest_agent_stamp=$root/artifacts/guest-agent/.stamp
if [[ $guest_agent && -x ${guest_agent_stamp%/*}/interguest-agent && $(cat "$guest_agent_stamp" 2>/dev/null) = "$stamp" ]]; then
	say "artifacts/guest-agent/interguest-agent is up to date"
	exit 0
fi
if [[ ! $guest_agent ]] && up_to_date; then
	say "bin/interguest-switch, bin/interguest-agent and bin/interguest are up to date"
	exit 0
fi

"$root/deploy/setup.sh" build
compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
case $(uname -m) in
x86_64) runtime=linux-x64 ;;
aarch64) runtime=linux-arm64 ;;
*) fail "no .NET runtime for $(uname -m)" ;;
esac
if [[ $guest_agent ]]; then
	log=$root/artifacts/guest-agent.log
	: >"$log"
	run_dotnet publish "$root/Agent/Agent.csproj" -c Release -r "$runtime" --self-contained -p:PublishSingleFile=true \
		-p:EnableCompressionInSingleFile=true -p:DebugType=none -o "$root/artifacts/guest-agent" || {
		tail -n 20 "$log" >&2
		fail "dotnet publish of the agent failed; the whole log is $log"
	}
	echo "$stamp" >"$guest_agent_stamp"
	say "artifacts/guest-agent/interguest-agent made in $SECONDS s"
	exit 0
fi
precompile=true
rm -f "$build/.stamp"
: >"$log"
say "building the switch, the agent and the command line (the first time takes about a minute)"
for program in interguest-switch interguest-agent interguest; do
	publish "${PROGRAMS[$program]}"
	make_starter "$program" "${PROGRAMS[$program]}"
done
echo "$stamp" >"$build/.stamp"
say "bin/interguest-switch, bin/interguest-agent and bin/interguest made in $SECONDS s"
