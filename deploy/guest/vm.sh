#!/usr/bin/env bash
# Starts and drives one virtual machine with the guest that build.sh makes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
	cat <<-'END'
	usage: vm.sh VERB NAME --run DIR [options]

	  start NAME --run DIR [options] [-- QEMU ARGUMENTS...]
	          starts the VM in the background; returns when QEMU is up
	    --guest DIR           what build.sh made      (default: artifacts/guest)
	    --qemu PROGRAM        (default: $INTERGUEST_QEMU or qemu-system-x86_64)
	    --accel auto|kvm|tcg  (default: $INTERGUEST_ACCEL or auto: KVM if it works here;
	                          unused if the QEMU arguments have -accel)
	    --memory SIZE         (default: 256M; unused if the QEMU arguments have -m)
	    --cpus N              (default: 1)
	    --append ARGUMENTS    more kernel arguments
	    --no-kernel           boots from a disk among the QEMU arguments, not from --guest
	    --no-reboot           a reboot of the guest ends QEMU
	  wait    NAME --run DIR [--timeout S]    until the guest takes commands
	  exec    NAME --run DIR [--timeout S] -- COMMAND...
	          runs 'sh -c COMMAND' in the guest; prints its output (stdout and
	          stderr) when it has ended, returns its exit status; 124: timed out,
	          125: the VM is not there, died, or was reset. deploy/guest/lib.sh
	          lists the helper functions that the command may use.
	  stop    NAME --run DIR                  asks QEMU to quit
	  kill    NAME --run DIR                  SIGKILL
	  reset   NAME --run DIR                  like the reset button; then: wait
	  alive   NAME --run DIR                  exit status only
	  pid     NAME --run DIR
	  console NAME --run DIR                  root shell on this terminal; Ctrl-] leaves
	  qmp     NAME --run DIR JSON             one QMP command; prints the answer
	  accel   [--guest DIR] [--qemu PROGRAM]  what 'auto' means on this machine

	Everything about a VM is in DIR/NAME.*: pid, cmdline, console.log, err
	(QEMU's stderr), console.sock, qmp.sock, agent.*.sock. Time limits default to
	60 s and are real time: a guest under software emulation is slow when the
	machine is busy.
	END
}

fail() { # MESSAGE [EXIT STATUS]
	printf 'vm.sh: %s\n' "$1" >&2
	exit "${2:-1}"
}

# Writing to a QEMU that just died is for the code to notice, and no reason to
# die silently.
trap '' PIPE

AGENTS=8 # commands at the same time; more wait for their turn

now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

# ---- the process ----------------------------------------------------------

vm_pid() { cat "$vm.pid" 2>/dev/null; }

# The command line tells the VM from a stranger that got the same pid, and from
# a zombie, which has none.
vm_alive() {
	local pid
	pid=$(vm_pid) && [[ $pid ]] && grep -aqF -- "$vm.qmp.sock" "/proc/$pid/cmdline" 2>/dev/null
}

need_alive() { vm_alive || fail "VM $name is not running in $run" "${1:-1}"; }

wait_gone() { # SECONDS
	local end=$(($(now_ms) + $1 * 1000))
	while vm_alive; do
		(($(now_ms) < end)) || return 1
		sleep 0.03
	done
}

forget() { rm -f "$vm".{pid,qmp.sock,qmp.lock,console.sock} "$vm".agent.*; }

show_failure() {
	local file
	for file in "$vm.err" "$vm.console.log"; do
		[[ -s $file ]] || continue
		printf -- '---- end of %s:\n' "$file"
		tail -n 15 "$file" | tr -d '\r'
		echo
	done >&2
}

# ---- QMP ------------------------------------------------------------------

# qmp JSON [EVENT]: prints the answer; with EVENT, returns when that came, too.
# QEMU talks to one QMP client at a time, hence the lock.
qmp() {
	local line answer='' event=${2:-} lock link_pid limit=${QMP_TIMEOUT:-20}
	exec {lock}>"$vm.qmp.lock"
	flock -w "$limit" "$lock" || { echo "QMP of $name is busy" >&2; return 1; }
	coproc QMP { exec socat -t 0.1 - "UNIX-CONNECT:$vm.qmp.sock" {lock}>&- 2>/dev/null; }
	link_pid=$QMP_PID
	local from=${QMP[0]} to=${QMP[1]}
	printf '{"execute":"qmp_capabilities","id":"hello"}\n%s\n' "$1" 1>&"$to" 2>/dev/null || true
	while [[ ! $answer || $event ]] && IFS= read -r -t "$limit" line <&"$from"; do
		line=${line%$'\r'}
		case $line in
		*'"QMP": {'* | *'"id": "hello"'*) ;;
		*'"event": '*) [[ $event && $line = *"\"event\": \"$event\""* ]] && event= ;;
		*) answer=$line ;;
		esac
	done 2>/dev/null
	kill "$link_pid" 2>/dev/null || true
	wait "$link_pid" 2>/dev/null || true
	exec {lock}>&-
	[[ ! $answer ]] || printf '%s\n' "$answer"
	[[ $answer && $answer != '{"error":'* && ! $event ]]
}

need_guest() {
	[[ -s $guest/vmlinuz && -s $guest/initrd ]] || fail "no guest in $guest: make it with $here/build.sh $guest"
}

# ---- accelerator ----------------------------------------------------------

# Whether KVM runs this guest here. /dev/kvm alone does not say so, and neither
# does a small program: in a nested or restricted machine both may do, and a
# kernel then hangs. So boot the guest, which only says that it is there.
kvm_works() { # WHERE TO WRITE
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 1
	timeout -s KILL 10 "$qemu" -accel kvm -cpu host -machine q35 -m 256M -nodefaults -no-user-config \
		-display none -no-reboot -kernel "$guest/vmlinuz" -initrd "$guest/initrd" \
		-append "console=ttyS0 quiet panic=-1 interguest.probe" -serial "file:$1" </dev/null >/dev/null 2>&1 &&
		grep -aq 'probe passed' "$1"
}

# The verdict is kept for this boot, this QEMU and this user.
best_accel() {
	local key verdict=$guest/.accel word
	need_guest
	exec 8>"$guest/.accel.lock"
	flock 8 # two VMs started at once try KVM once
	key="$(cat /proc/sys/kernel/random/boot_id) $EUID $("$qemu" --version | head -n 1)"
	if [[ $(head -n 1 "$verdict" 2>/dev/null) != "$key" ]]; then
		# bash's own note about the killed program is no error
		if kvm_works "$guest/.accel.$$" 2>/dev/null; then word=kvm; else word=tcg; fi
		rm -f "$guest/.accel.$$"
		printf '%s\n%s\n' "$key" "$word" >"$verdict.$$"
		mv "$verdict.$$" "$verdict"
	fi
	exec 8>&-
	sed -n 2p "$verdict"
}

# ---- verbs ----------------------------------------------------------------

do_accel() { best_accel; }

argument() { # OPTION: its value among the caller's QEMU arguments; false if it is not there
	local i
	for ((i = 0; i + 1 < ${#rest[@]}; i++)); do
		[[ ${rest[i]} != "$1" ]] || { printf '%s\n' "${rest[i + 1]}"; return; }
	done
	return 1
}

do_start() {
	local args=() i pid end given
	need_guest
	command -v socat >/dev/null || fail "socat is missing: run deploy/setup.sh"
	mkdir -p "$run"
	# the longest name of a socket, in the 108 bytes that a socket address has
	((${#vm} + 13 <= 107)) || fail "the path $vm is too long for Unix sockets: take a shorter --run"
	if vm_alive; then fail "VM $name already runs in $run (pid $(vm_pid))"; fi
	forget

	args=(-name "$name" -nodefaults -no-user-config -display none -machine q35 -smp "$cpus")
	# What 'interguest qemu PORT' printed has the accelerator and the memory.
	if given=$(argument -accel); then
		accel=$given
	else
		[[ $accel != auto ]] || accel=$(best_accel)
		args+=(-accel "$accel")
	fi
	case $accel in kvm*) args+=(-cpu host) ;; *) args+=(-cpu max) ;; esac
	argument -m >/dev/null || args+=(-m "$memory")
	((reboot)) || args+=(-no-reboot)
	((!kernel)) || args+=(-kernel "$guest/vmlinuz" -initrd "$guest/initrd"
		-append "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic no_timer_check tsc=reliable mitigations=off cryptomgr.notests interguest.name=$name $append")
	args+=(-qmp "unix:$vm.qmp.sock,server=on,wait=off"
		-chardev "socket,id=console,path=$vm.console.sock,server=on,wait=off,logfile=$vm.console.log"
		-serial chardev:console)
	# Behind the caller's devices, so that these get the same PCI slots as in a
	# VM started without this script.
	args+=("${rest[@]}" -device "virtio-serial-pci,max_ports=$((AGENTS + 1))")
	for ((i = 0; i < AGENTS; i++)); do
		args+=(-chardev "socket,id=agent$i,path=$vm.agent.$i.sock,server=on,wait=off"
			-device "virtserialport,chardev=agent$i,name=agent.$i")
	done
	printf '%q ' "$qemu" "${args[@]}" >"$vm.cmdline"

	setsid "$qemu" "${args[@]}" </dev/null >"$vm.err" 2>&1 &
	pid=$!
	echo "$pid" >"$vm.pid"
	end=$(($(now_ms) + timeout * 1000))
	until [[ -S $vm.qmp.sock ]] && qmp '{"execute":"query-status"}' >/dev/null; do
		if ! kill -0 "$pid" 2>/dev/null; then
			show_failure
			forget
			fail "QEMU of VM $name ended at once; its command line is in $vm.cmdline"
		fi
		if (($(now_ms) > end)); then
			kill -9 "$pid" 2>/dev/null || true
			show_failure
			forget
			fail "QEMU of VM $name is not up after $timeout s; its command line is in $vm.cmdline"
		fi
		sleep 0.03
	done
	disown "$pid"
}

do_wait() {
	local status=0
	rest=(:)
	do_exec || status=$?
	((status == 0)) && return
	show_failure
	if grep -aq -- '-accel kvm' "$vm.cmdline"; then
		echo "vm.sh: if KVM is the cause, INTERGUEST_ACCEL=tcg avoids it" >&2
	fi
	fail "the guest of VM $name did not answer within $timeout s"
}

# Takes a free agent channel: sets channel, holds its lock until hang_up. One
# whose last client gave up is the last choice: its agent may still be at work.
take_channel() {
	local i pass
	for pass in idle any; do
		for ((i = 0; i < AGENTS; i++)); do
			channel=$(((channel + 1) % AGENTS))
			[[ $pass = any || ! -e $vm.agent.$channel.busy ]] || continue
			exec {channel_lock}>"$vm.agent.$channel.lock"
			flock -n "$channel_lock" && return
			exec {channel_lock}>&-
		done
	done
	return 1
}

# Connects to a channel whose agent answers. Sets from, to, link_pid.
connect() { # DEADLINE
	local line patience
	channel=-1
	while (($(now_ms) < $1)); do
		vm_alive || fail "VM $name is not running" 125
		take_channel || { sleep 0.05; continue; }
		coproc AGENT { exec socat - "UNIX-CONNECT:$vm.agent.$channel.sock" {channel_lock}>&- 2>/dev/null; }
		link_pid=$AGENT_PID from=${AGENT[0]} to=${AGENT[1]}
		printf 'PING %s\n' "$token" 1>&"$to" 2>/dev/null || true
		patience=$(($(now_ms) + 15000))
		((patience < $1)) || patience=$1
		while read_line "$patience"; do
			[[ $line = "READY $token" ]] && return
		done
		hang_up
	done
	return 1
}

hang_up() {
	[[ ${link_pid:-} ]] || return 0
	kill "$link_pid" 2>/dev/null || true
	wait "$link_pid" 2>/dev/null || true
	link_pid=
	exec {channel_lock}>&-
}

read_line() { # DEADLINE: sets line; false at the deadline or at the end
	local left=$(($1 - $(now_ms)))
	((left > 0)) && IFS= read -r -t "$((left / 1000)).$(printf '%03d' $((left % 1000)))" line <&"$from" 2>/dev/null
}

do_exec() {
	local line command=${rest[*]} status length deadline started=
	local LC_ALL=C # lengths in bytes
	((${#command})) || fail "exec needs a command after --" 2
	need_alive 125
	deadline=$(($(now_ms) + timeout * 1000))
	token=$BASHPID.$RANDOM$RANDOM
	trap hang_up EXIT
	if ! connect "$deadline"; then
		printf 'vm.sh: VM %s does not answer\n' "$name" >&2
		return 124
	fi
	: >"$vm.agent.$channel.busy"
	{ printf 'RUN %s %s %s\n%s' "$token" "$timeout" "${#command}" "$command" 1>&"$to"; } 2>/dev/null || true
	# The guest watches the time, too; here a little longer, for a busy machine.
	deadline=$((deadline + 5000))
	while read_line "$deadline"; do
		case $line in
		"STARTED $token") started=1 ;;
		BOOT*) [[ ! $started ]] || fail "VM $name was reset during the command" 125 ;;
		"DONE $token "*)
			read -r _ _ status length <<<"$line"
			head -c "$length" <&"$from"
			rm -f "$vm.agent.$channel.busy"
			return "$status"
			;;
		esac
	done
	vm_alive || fail "VM $name died during the command" 125
	# A dying QEMU closes the channel before it is gone.
	if (($(now_ms) < deadline)); then wait_gone 2 && fail "VM $name died during the command" 125; fi
	printf 'vm.sh: the command in VM %s did not end within %s s\n' "$name" "$timeout" >&2
	return 124
}

do_kill() {
	if vm_alive; then
		kill -9 "$(vm_pid)" 2>/dev/null || true
		wait_gone 20 || fail "VM $name (pid $(vm_pid)) does not go away"
	fi
	forget
}

do_stop() {
	if vm_alive; then
		QMP_TIMEOUT=5 qmp '{"execute":"quit"}' >/dev/null || true
		wait_gone 5 || true
	fi
	do_kill
}

# Returns after the RESET event, so that whatever answers from now on is the
# new boot.
do_reset() {
	need_alive
	qmp '{"execute":"system_reset"}' RESET >/dev/null || fail "QEMU of VM $name does not reset"
	rm -f "$vm".agent.*.busy
}

do_alive() { vm_alive; }
do_pid() { need_alive; vm_pid; }

do_qmp() {
	need_alive
	qmp "${rest[*]}"
}

do_console() {
	local size
	need_alive
	[[ -t 0 ]] || fail "console needs a terminal"
	# A serial line does not tell the guest how large the terminal is.
	size=$(stty size)
	(rest=("stty -F /dev/ttyS0 rows ${size% *} cols ${size#* }") timeout=10 && do_exec) >/dev/null 2>&1 || true
	printf 'Console of %s. Ctrl-] leaves; press Enter for a prompt.\r\n' "$name"
	socat -,raw,echo=0,escape=0x1d "UNIX-CONNECT:$vm.console.sock" ||
		fail "cannot connect to $vm.console.sock: perhaps another console is open"
	echo
}

# ---- command line ---------------------------------------------------------

verb=${1:-}
case $verb in
-h | --help) usage; exit 0 ;;
accel) name=- && shift ;;
start | wait | exec | stop | kill | reset | alive | pid | console | qmp)
	name=${2:-}
	[[ $name =~ ^[A-Za-z0-9_-]+$ ]] || fail "'$verb' needs the name of a VM (letters, digits, - and _); see --help" 2
	shift 2
	;;
*) usage >&2; exit 2 ;;
esac

run='' guest=$here/../../artifacts/guest qemu=${INTERGUEST_QEMU:-qemu-system-x86_64}
accel=${INTERGUEST_ACCEL:-auto} memory=256M cpus=1 append='' timeout=60 reboot=1 kernel=1 rest=()
while (($#)); do
	case $1 in
	--run | --guest | --qemu | --accel | --memory | --cpus | --append | --timeout)
		(($# >= 2)) || fail "$1 needs a value" 2
		printf -v "${1#--}" %s "$2"
		shift
		;;
	--no-reboot) reboot=0 ;;
	--no-kernel) kernel=0 ;;
	--) shift; rest=("$@"); break ;;
	-h | --help) usage; exit 0 ;;
	-*) fail "unknown option $1; see --help" 2 ;;
	*) rest+=("$1") ;;
	esac
	shift
done
[[ $verb = accel || $run ]] || fail "--run DIR is missing" 2
[[ $timeout =~ ^[0-9]+$ ]] || fail "--timeout wants whole seconds" 2
command -v "$qemu" >/dev/null || [[ $verb != start && $verb != accel ]] ||
	fail "$qemu is missing: run deploy/setup.sh"
[[ ! -d $run ]] || run=$(cd "$run" && pwd)
[[ ! -d $guest ]] || guest=$(cd "$guest" && pwd)
vm=$run/$name
"do_$verb"
