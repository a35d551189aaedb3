# shellcheck shell=bash
# A client VM with two disks, for scripts: source it after vms.sh. A process serves /dev/vda, another VM its own disk
# as /dev/vdb.

SIZE=64M # of each disk

port_is() { # PORT STATE
	interguest port show "$1" --json | grep -q "\"state\": *\"PORT_STATE_${2^^}\""
}

# What a port has done since the switch was started: reads, and writes and all else.
requests() { # PORT
	{ interguest port show "$1" --json 2>/dev/null || true; } | sed -n 's/.*"[rt]xFrames": *"\{0,1\}\([0-9]*\).*/\1/p' | awk '{n += $1} END {print n + 0}'
}

start_agent() { # [OPTIONS]
	setsid interguest-agent serve-block --port "$run/ports/store.sock" --image "$run/store.raw" "$@" </dev/null >>"$run/store.log" 2>&1 &
	agent_pid=$!
}

end_agent() { # SIGNAL
	end_process "$1" "$agent_pid"
}

boot_server() {
	local arguments
	arguments=$(interguest qemu vault --memory 384M --accel "$accel" 2>/dev/null)
	eval "vm start server --guest \$root/artifacts/guest-server -- $arguments" \
		-drive "file=$run/vault.raw,if=none,id=own,format=raw" -device virtio-blk-pci,drive=own
}

serve_in_server() {
	vm wait server --timeout 240 >/dev/null
	in_guest server 120 "serve_disk /dev/vda"
}

boot_client() {
	local first second
	first=$(interguest qemu disk --memory 384M --accel "$accel" 2>/dev/null)
	second=$(interguest qemu vdisk 2>/dev/null | grep -E '^-(chardev|device) ')
	eval "vm start client --guest \$root/artifacts/guest-disks -- $first $second"
}

# A switch, the ports and links, a process and a VM that serve, and the client.
start_disks() {
	begin_run disks
	accel=$("$vm_script" accel)
	truncate -s "$SIZE" "$run/store.raw" "$run/vault.raw"
	local port
	for port in disk vdisk; do interguest port add "$port" --type block >/dev/null; done
	for port in store vault; do interguest port add "$port" --type block-server >/dev/null; done
	interguest link add d1 disk store >/dev/null
	interguest link add d2 vdisk vault >/dev/null
	start_agent
	boot_server
	serve_in_server
	for port in disk vdisk; do wait_until 60 "port $port knows its disk" port_is "$port" listening; done
	boot_client
	vm wait client --timeout 240 >/dev/null
}

end_disks() {
	[[ ! ${agent_pid:-} ]] || kill -KILL "$agent_pid" 2>/dev/null || true
	end_run client server
}
