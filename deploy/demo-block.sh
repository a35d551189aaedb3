# shellcheck shell=bash
# The part of demo.sh that is about disks: it takes the place of the network's ports, guests and checks.

DISK_MIB=192 FILE_MIB=48

build_guests() {
	"$root/deploy/guest/build.sh"
	"$root/deploy/guest/build.sh" --disks
	"$root/deploy/guest/build.sh" --server
}

make_link() {
	show interguest port add disk --type block
	show interguest port add store --type block-server
	show interguest link add d1 disk store
}

start_guest() { # GUEST PORT IMAGE [QEMU ARGUMENTS]
	local guest=$1 port=$2 image=$3 arguments
	shift 3
	arguments=$(interguest qemu "$port" --memory 512M --accel "$accel")
	say "${dim}\$ interguest qemu $port --memory 512M --accel $accel${plain}"
	say "$arguments"
	# shellcheck disable=SC2016 # to be read, not run
	printf '%s$ eval "deploy/guest/vm.sh start %s --run %s --guest artifacts/%s -- $(interguest qemu %s ...)" %s%s\n' "$dim" "$guest" "$run" "$image" "$port" "$*" "$plain"
	eval "\"\$vm_script\" start \$guest --run \$run --guest \$root/artifacts/\$image -- $arguments" "$@"
}

serve() {
	show vm wait server --timeout 240
	in_guest server "serve_disk /dev/vda && cat /tmp/serve.log"
}

start_guests() {
	local tries
	step "A virtual machine with a disk of its own, which it serves"
	truncate -s ${DISK_MIB}M "$run/server.raw"
	start_guest server store guest-server -drive "file=$run/server.raw,if=none,id=own,format=raw" -device virtio-blk-pci,drive=own
	say "Below, 'vm VERB NAME' is short for: deploy/guest/vm.sh VERB NAME --run $run"
	serve
	for ((tries = 300; tries > 0; tries--)); do
		[[ $(interguest port show disk --json) != *PORT_STATE_WAITING* ]] && break
		sleep 0.1
	done
	step "A virtual machine without a disk, which uses that one"
	start_guest client disk guest-disks
	show vm wait client --timeout 240
	in_guest client "cat /sys/block/vda/serial /sys/block/vda/size"
}

written() { # sectors that the client has written to the disk
	vm exec client --timeout 60 -- "awk '{print \$7}' /sys/block/vda/stat"
}

copy_through_a_reboot() {
	local sent received copy began=$EPOCHREALTIME from status=0
	step "A file system, and a file on its way"
	in_guest client "mke2fs -q -t ext4 /dev/vda && mount -t ext4 /dev/vda /mnt && dd if=/dev/urandom of=/tmp/file bs=1M count=$FILE_MIB 2>/dev/null" || status=1
	sent=$(in_guest client "sha256sum </tmp/file") || status=1
	from=$(written)
	printf "%s\$ vm exec client -- 'dd if=/tmp/file of=/mnt/file bs=256k oflag=direct && sync' &%s\n" "$dim" "$plain"
	vm exec client --timeout 400 -- 'dd if=/tmp/file of=/mnt/file bs=256k oflag=direct && sync' >"$run/copy" 2>&1 &
	copy=$!
	until (($(written) > from + FILE_MIB * 2048 / 8)); do kill -0 "$copy" 2>/dev/null || break; done
	step "The serving machine is rebooted, in the middle of it"
	kill -0 "$copy" 2>/dev/null || status=1
	result "$status" "the copy was on its way" "$((($(written) - from) / 2048)) of $FILE_MIB MiB"
	show vm reset server
	show interguest link show d1
	serve
	wait "$copy" || status=1
	cat "$run/copy"
	show interguest status
	result "$status" "the copy went on after the reboot" "$(seconds_since "$began") s in all"

	step "What the disk has now"
	status=0
	in_guest client "umount /mnt && echo 3 >/proc/sys/vm/drop_caches && e2fsck -fn /dev/vda" || status=1
	result "$status" "the file system is sound" "e2fsck"
	status=0
	received=$(in_guest client "mount -t ext4 /dev/vda /mnt && sha256sum </mnt/file && umount /mnt") || status=1
	say "written $sent"
	say "read    $received"
	[[ ${#sent} -ge 64 && $sent = "$received" ]] || status=1
	result "$status" "$FILE_MIB MiB, SHA-256 equal" "${received%% *}"
	status=0
	in_guest client "dmesg | grep -i 'I/O error'" && status=1
	result "$status" "the client has seen no error" ""
}

checks() {
	step "What the switch sees"
	show interguest status
	show interguest port show disk
	copy_through_a_reboot
}

explain_keep() {
	cat <<-END

	${bold}All is left running.${plain} From $root:

	  a guest's console (root shell, Ctrl-] leaves)
	    deploy/guest/vm.sh console client --run $run
	    In it: mount -t ext4 /dev/vda /mnt; fio --filename=/dev/vda ...

	  the switch
	    export INTERGUEST_ENDPOINT=$INTERGUEST_ENDPOINT
	    bin/interguest port show disk     # requests, errors
	    log: $run/switch.log

	  the serving machine dies, and comes back
	    deploy/guest/vm.sh reset server --run $run
	    deploy/guest/vm.sh wait server --run $run
	    deploy/guest/vm.sh exec server --run $run -- 'serve_disk /dev/vda'

	  the end
	    deploy/demo.sh --stop
	END
}
