# shellcheck shell=bash
# A switch, and two VMs on it, for scripts: source it. Needs $root; sets $run and $switch_pid.

export PATH=$root/bin:$PATH
vm_script=$root/deploy/guest/vm.sh
switch_options=()
declare -A address=([alice]=10.0.0.1 [bob]=10.0.0.2)

vm() { # VERB NAME ...
	local verb=$1 name=$2
	shift 2
	"$vm_script" "$verb" "$name" --run "$run" "$@"
}

in_guest() { # GUEST SECONDS COMMAND
	vm exec "$1" --timeout "$2" -- "$3"
}

wait_until() { # SECONDS WHAT COMMAND...
	local seconds=$1 what=$2 end=$((SECONDS + $1))
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || { echo "not within $seconds s: $what" >&2; return 1; }
		sleep 0.1
	done
}

pairs_of_ports() { # COUNT: a topology of so many ports, p0 and p1 linked, and so on
	local i
	echo 'ports:'
	for ((i = 0; i < $1; i++)); do echo "  p$i: {}"; done
	echo 'links:'
	for ((i = 0; i + 1 < $1; i += 2)); do echo "  l$i: {ports: [p$i, p$((i + 1))]}"; done
}

# begin_run WHAT: a switch, in a directory named for WHAT
begin_run() {
	run=$(mktemp -d "${TMPDIR:-/tmp}/ig$1.XXXXXX")
	export INTERGUEST_ENDPOINT=unix:$run/control.sock
	start_switch
}

end_run() { # [VM...]
	local name
	for name; do vm kill "$name" >/dev/null 2>&1 || true; done
	[[ ! ${switch_pid:-} ]] || kill -KILL "$switch_pid" 2>/dev/null || true
	[[ ! ${run:-} || ${keep:-} ]] || rm -rf "$run"
}

# The last one of them, with $switch_options; every life writes to the same log.
start_switch() {
	"$root/bin/interguest-switch" --control "unix:$run/control.sock" --socket-dir "$run/ports" --state-dir "$run/state" "${switch_options[@]}" </dev/null >>"$run/switch.log" 2>&1 &
	switch_pid=$!
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		interguest port list >/dev/null 2>&1 && return
		kill -0 "$switch_pid" 2>/dev/null || { tail -n 20 "$run/switch.log" >&2; return 1; }
		sleep 0.05
	done
	return 1
}

end_switch() { # SIGNAL
	end_process "$1" "$switch_pid"
}

end_process() { # SIGNAL PID
	kill "-$1" "$2"
	# The shell tells of a job that was killed.
	{ wait "$2" || true; } 2>/dev/null
}

qemu_arguments() { # NAME [PROPERTIES]: of a VM on the port of its name, with more properties of its network device
	local arguments
	arguments=$(interguest qemu "$1" --memory 256M --accel "$accel" 2>/dev/null)
	echo "${arguments/romfile=/romfile=${2:+,$2}}"
}

boot() { # NAME [PROPERTIES]
	local arguments
	arguments=$(qemu_arguments "$@")
	eval "vm start \$1 -- $arguments"
}

ready() { # NAME
	vm wait "$1" --timeout "${patience:-300}" >/dev/null
	in_guest "$1" 120 "net_up \$(nic) ${address[$1]}/24"
}

# start_pair MODE: a switch, two ports, a link, two VMs that reach each other
start_pair() {
	begin_run vm
	accel=$("$vm_script" accel)
	local name
	for name in alice bob; do interguest port add "$name" --mode "$1" >/dev/null; done
	interguest link add cable alice bob >/dev/null
	for name in alice bob; do boot "$name"; done
	for name in alice bob; do ready "$name"; done
	reaches alice 60
}

reaches() { # GUEST SECONDS: until a ping gets through
	local other=bob
	[[ $1 = alice ]] || other=alice
	in_guest "$1" "$(($2 + 20))" "wait_for $2 /bin/ping -c 1 -W 1 ${address[$other]}"
}

end_pair() { end_run alice bob; }
