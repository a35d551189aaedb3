#!/usr/bin/env bash
# Makes the small Linux guest of the demo and the tests: a kernel and an
# initramfs, out of unmodified Debian packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
	cat <<-'END'
	usage: deploy/guest/build.sh [options] [OUTDIR]

	Downloads Debian packages with this machine's own apt sources, unpacks them
	and packs OUTDIR/vmlinuz and OUTDIR/initrd (default OUTDIR: artifacts/guest in
	the repository). Nothing is installed, /boot is not touched, no root is
	needed. It does nothing if OUTDIR is up to date.

	  --tools "PACKAGE:PROGRAM ..."  more programs for the guest
	  --modules "MODULE ..."         more kernel modules
	  --agent FILE                   interguest-agent for the guest, as 'deploy/build.sh
	                                 --guest-agent' makes it
	  --disks                        a guest that uses disks: fio, the tools of ext4 and a
	                                 boot loader (default OUTDIR: artifacts/guest-disks)
	  --server                       a guest that serves its disk: interguest-agent, made
	                                 if need be (default OUTDIR: artifacts/guest-server)
	  --refresh                      take the newest packages again
	END
}

say() { printf 'guest: %s\n' "$*"; }
fail() { printf 'guest: %s\n' "$*" >&2; exit 1; }

TOOLS="dash:dash iperf3:iperf3 iproute2:ip ethtool:ethtool iputils-ping:ping tcpdump:tcpdump socat:socat"
MODULES="virtio_pci virtio_net virtio_blk virtio_console virtio_rng 8021q tun pktgen uio_pci_generic"
KERNEL=linux-image-cloud-amd64

DISK_TOOLS="fio:fio e2fsprogs:mke2fs e2fsprogs:e2fsck extlinux:extlinux"

root=$here/../.. out='' refresh='' agent=''
while (($#)); do
	case $1 in
	-h | --help) usage; exit 0 ;;
	--refresh) refresh=1 ;;
	--disks) TOOLS+=" $DISK_TOOLS" MODULES+=" ext4" out=${out:-$root/artifacts/guest-disks} ;;
	--server)
		"$root/deploy/build.sh" --guest-agent
		agent=$root/artifacts/guest-agent/interguest-agent out=${out:-$root/artifacts/guest-server}
		;;
	--tools | --modules | --agent)
		(($# >= 2)) || { usage >&2; exit 2; }
		case $1 in
		--tools) TOOLS+=" $2" ;;
		--modules) MODULES+=" $2" ;;
		--agent) agent=$2 ;;
		esac
		shift
		;;
	-*) usage >&2; exit 2 ;;
	*) out=$1 ;;
	esac
	shift
done
out=${out:-$root/artifacts/guest}
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.lock"
flock 9 # two builds at once: the second finds the work done

[[ ! $agent || -x $agent ]] || fail "there is no program $agent: deploy/build.sh --guest-agent makes one"
LIBRARIES=${agent:+libstdc++6 libgcc-s1} # what a program of .NET needs of the system
stamp=$({ printf '%s\n' "$TOOLS" "$MODULES" "$KERNEL" "${agent:+$(sha256sum "$agent")}"; cat "$here"/{build.sh,init,agent,lib.sh}; } | sha256sum)
if [[ ! $refresh && -s $out/initrd && -s $out/vmlinuz && $(cat "$out/.stamp" 2>/dev/null) = "$stamp" ]]; then
	say "$out is up to date"
	exit 0
fi

for tool in apt-get apt-cache dpkg-deb; do
	command -v "$tool" >/dev/null ||
		fail "'$tool' is missing: the guest is made on Debian; elsewhere, make it there and copy OUTDIR"
done

# ---- packages -------------------------------------------------------------

debs=$out/packages
work=$out/.work
log=$out/apt.log
mkdir -p "$debs"
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{kernel,user,root}
# What a guest beside this one has downloaded need not be fetched again.
cp -ln "$out"/../*/packages/*.deb "$debs/" 2>/dev/null || true

# The sandbox user of apt may not write below a private directory.
apt_options=(-q -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)

# Package lists of our own, with the machine's sources: for one that has none
# yet, or old ones, and whose lists we have no right to update.
use_own_lists() {
	mkdir -p "$out/apt"/{lists,archives}/partial
	apt_options+=(-o "Dir::State::lists=$out/apt/lists" -o "Dir::Cache=$out/apt")
	say "fetching package lists"
	# A failing third-party source does not matter; Debian's own is checked by
	# what follows.
	apt-get "${apt_options[@]}" update >>"$log" 2>&1 || true
}

# The kernel's real package behind the meta package, and for the programs their
# packages and the libraries, found by following library packages only (the
# whole closure would drag in perl and pam).
wanted_packages() {
	local roots kernel
	kernel=$(apt-cache "${apt_options[@]}" depends "$KERNEL" 2>/dev/null |
		awk '$1 == "Depends:" && $2 ~ /^linux-(image|binary|modules)-[0-9]/ {print $2}')
	[[ $kernel ]] || return 1
	roots=$({ tr ' ' '\n' <<<"$TOOLS" | sed -n 's/:.*//p'; printf '%s\n' $LIBRARIES; } | sort -u)
	printf '%s\n' "$kernel" busybox-static
	# shellcheck disable=SC2086 # package names are words
	apt-cache "${apt_options[@]}" depends --recurse --important $roots 2>/dev/null |
		awk -v roots="$(tr '\n' ' ' <<<"$roots")" '
			/^[a-z0-9]/ {package = $1}
			$1 ~ /Depends:$/ && $2 ~ /^(lib|zlib)/ {needs[package] = needs[package] " " $2}
			END {
				n = split(roots, todo, " ")
				for (i = 1; i <= n; i++) {
					if (seen[todo[i]]++) continue
					print todo[i]
					k = split(needs[todo[i]], more, " ")
					for (j = 1; j <= k; j++) todo[++n] = more[j]
				}
			}'
}

download() { # PACKAGE...: into $debs, what is not there yet; file names on stdout
	(cd "$debs" && apt-get "${apt_options[@]}" download "$@" >>"$log" 2>&1) || return 1
	# --print-uris names the files of exactly these versions
	apt-get "${apt_options[@]}" download --print-uris "$@" 2>>"$log" | awk '{print $2}'
}

fetch() {
	local packages
	packages=$(wanted_packages) || return 1
	# shellcheck disable=SC2086
	files=$(download $packages) && [[ $files ]]
}

# In a fresh --refresh, and whenever the machine's lists do not do.
: >"$log"
if [[ $refresh ]]; then use_own_lists; fi
fetch || { [[ ! $refresh ]] && use_own_lists && fetch; } || {
	tail -n 15 "$log" >&2
	fail "could not get $KERNEL and the guest's programs with this machine's apt sources (log: $log).
       They need a Debian 12 or newer 'main' archive in /etc/apt, and network access."
}

for file in $files; do
	case $file in
	linux-*) dpkg-deb -x "$debs/$file" "$work/kernel" ;;
	*) dpkg-deb -x "$debs/$file" "$work/user" ;;
	esac
done
busybox=$(find "$work/user" -path "*bin/busybox" -type f -print -quit)
[[ $busybox ]] || fail "busybox-static holds no busybox"

# ---- root file system -----------------------------------------------------

root=$work/root
mkdir -p "$root"/{bin,sbin,lib64,lib/x86_64-linux-gnu,etc,proc,sys,dev,tmp,run,root,mnt,usr/lib}

add_programs() {
	local loader libraries tool program library
	loader=$(find "$work/user" -name 'ld-linux-x86-64.so.2' -type f -print -quit)
	libraries=$(find "$work/user" -name '*.so*' -printf '%h\n' | LC_ALL=C sort -u | paste -sd :)
	cp "$busybox" "$root/bin/busybox"
	cp "$loader" "$root/lib64/ld-linux-x86-64.so.2"
	for tool in $TOOLS; do
		# a file: a link may lead to /, which is this machine's and not the package's
		program=$(find "$work/user" -path "*bin/${tool#*:}" -type f -print -quit)
		[[ $program ]] || fail "package ${tool%%:*} holds no program ${tool#*:}"
		cp -L "$program" "$root/bin/${tool#*:}"
		# The guest's own loader says which libraries it needs, in all depth.
		"$loader" --library-path "$libraries" --list "$program" >"$work/needs" ||
			fail "cannot list the libraries of $program"
		# Nor may it be one that happens to be on this machine.
		if grep -F 'not found' "$work/needs" >&2 || grep -F ' => /' "$work/needs" | grep -vF " => $work/" >&2; then fail "no package brought the library above, needed by ${tool#*:}"; fi
		while read -r library; do
			cp -L "$library" "$root/lib/x86_64-linux-gnu/"
		done < <(sed -n "s|.* => \\($work/[^ ]*\\) .*|\\1|p" "$work/needs")
	done
	# The shell of scripts: busybox's own would take busybox's ping and ip for
	# these names, whatever PATH says.
	ln -s dash "$root/bin/sh"
	# Names for what only busybox has.
	"$busybox" --list | while read -r tool; do
		[[ -e $root/bin/$tool ]] || ln -s busybox "$root/bin/$tool"
	done
	ln -s ../bin/busybox "$root/sbin/modprobe" # the kernel itself calls it by this name
}

add_agent() {
	local library
	[[ $agent ]] || return 0
	install -m 755 "$agent" "$root/bin/interguest-agent"
	for library in libstdc++.so.6 libgcc_s.so.1; do
		cp -L "$(find "$work/user" -name "$library" -print -quit)" "$root/lib/x86_64-linux-gnu/$library"
	done
	for library in libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libc.so.6; do
		cp -L "$(find "$work/user" -name "$library" -print -quit)" "$root/lib/x86_64-linux-gnu/$library"
	done
}

add_modules() {
	local from version to module file
	from=$(find "$work/kernel" -path '*/lib/modules/*' -maxdepth 5 -name 'kernel' -type d -print -quit)
	[[ $from ]] || fail "the kernel package holds no modules"
	from=${from%/kernel}
	version=${from##*/}
	kernel_version=$version
	"$busybox" depmod -b "${from%/lib/modules/*}" "$version"
	to=$root/lib/modules/$version
	mkdir -p "$to"
	for module in $MODULES; do
		# a file may spell '-' where the module's name has '_'
		{ grep -m 1 -E "/${module//[-_]/[-_]}\\.ko[.a-z]*:" "$from/modules.dep" || true; } | tr -d : | tr ' ' '\n' >"$work/needs"
		[[ -s $work/needs ]] || grep -qE "/${module//[-_]/[-_]}\\.ko" "$from/modules.builtin" ||
			say "note: the kernel has no module $module"
		while read -r file; do
			[[ $file ]] || continue
			mkdir -p "$to/${file%/*}"
			case $file in
			*.xz) "$busybox" xz -dc "$from/$file" >"$to/${file%.xz}" ;;
			*.zst) fail "module $file is packed with zstd, which is not supported" ;;
			*) cp "$from/$file" "$to/$file" ;;
			esac
		done <"$work/needs"
	done
	cp "$from"/modules.builtin "$to/"
	"$busybox" depmod -b "$root" "$version"
	cp "$(find "$work/kernel" -name 'vmlinuz*' -type f -print -quit)" "$out/vmlinuz"
}

add_configuration() {
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	printf '%s\n' 'icmp 1 ICMP' 'tcp 6 TCP' 'udp 17 UDP' >"$root/etc/protocols"
	install -m 755 "$here/init" "$root/init"
	install -m 755 "$here/agent" "$root/bin/agent"
	install -m 644 "$here/lib.sh" "$root/etc/lib.sh"
	# busybox init: brings up, keeps alive, reaps. It calls /init again for the start.
	cat >"$root/etc/inittab" <<-'END'
		::sysinit:/init up
		ttyS0::respawn:-/bin/ash
		::ctrlaltdel:/bin/reboot -f
	END
	cat >"$root/etc/profile" <<-'END'
		export PATH=/bin:/sbin HOME=/root PS1='\h# ' TERM=${TERM:-linux}
		alias ping=/bin/ping ip=/bin/ip # not busybox's
		. /etc/lib.sh
	END
}

add_programs
add_agent
add_modules
add_configuration
# Not compressed: QEMU copies it in no time, while unpacking under software
# emulation costs more than a second.
(cd "$root" && find . | LC_ALL=C sort | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) >"$out/initrd.new"
mv "$out/initrd.new" "$out/initrd"
{
	echo "kernel $kernel_version"
	printf '%s\n' "$files"
} >"$out/manifest"
# Only now: packages that this build did not use are old versions.
find "$debs" -name '*.deb' -printf '%f\n' | { grep -vxF "$files" || true; } | while read -r file; do rm -f "$debs/$file"; done
echo "$stamp" >"$out/.stamp"
say "kernel $kernel_version, initramfs $(($(stat -c %s "$out/initrd") >> 20)) MiB in $out, made in ${SECONDS} s"
