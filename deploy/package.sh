#!/usr/bin/env bash
# Makes a Debian package of the switch, the command line and the agent.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: deploy/package.sh [DIRECTORY]

	Makes DIRECTORY/interguest_VERSION_amd64.deb (default: artifacts). It brings its
	own .NET runtime, so it installs on a Debian 12 or newer that has none:

	    apt install ./interguest_VERSION_amd64.deb

	installs, makes the user and group interguest, and starts the switch. 'apt
	purge interguest' leaves nothing behind.
	END
}

say() { printf 'package: %s\n' "$*"; }
fail() { printf 'package: %s\n' "$*" >&2; exit 1; }

case ${1:-} in
-h | --help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
out=${1:-$root/artifacts}
mkdir -p "$out"
"$root/deploy/setup.sh" build
case $(uname -m) in
x86_64) runtime=linux-x64 architecture=amd64 ;;
*) fail "the switch runs on x86-64 only" ;;
esac
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$root/Directory.Build.props")
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

log=$root/artifacts/package.log
build=$root/artifacts/package
tree=$build/tree
rm -rf "$tree" "$build"/{Switch,Cli,Agent}
mkdir -p "$build" "$tree"/{DEBIAN,usr/bin,usr/lib/interguest,lib/systemd/system,etc/default,usr/share/doc/interguest/examples} \
	"$tree"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d,man/man1,man/man8}
: >"$log"

# All in one directory: they share one runtime. The switch last: it has libraries from that runtime which others bring in
# older versions, and would not start with those.
precompile=true
for project in Cli Agent Switch; do
	if [[ $precompile = true ]] && ! dotnet restore "$root/$project" -r $runtime -p:PublishReadyToRun=true --artifacts-path "$build/dotnet" \
		-nodeReuse:false >>"$log" 2>&1; then
		say "note: no ReadyToRun compiler to be had; the programs will start slower"
		precompile=false
	fi
	say "publishing $project"
	dotnet publish "$root/$project" -c Release -r $runtime --self-contained true -p:PublishReadyToRun=$precompile -p:DebugType=none \
		--artifacts-path "$build/dotnet" -o "$build/$project" -nodeReuse:false -p:UseSharedCompilation=false >>"$log" 2>&1 ||
		{ grep -E 'error' "$log" | sort -u | head -n 20 >&2; fail "dotnet publish of $project failed; the whole log is $log"; }
	# Not published there: what is older would not go over what is newer.
	cp -r "$build/$project/." "$tree/usr/lib/interguest"
done
find "$tree/usr/lib/interguest" \( -name '*.xml' -o -name '*.pdb' -o -name 'createdump' \) -delete
find "$tree/usr/lib/interguest" -type f -exec chmod 644 {} +
for program in interguest interguest-switch interguest-agent; do
	chmod 755 "$tree/usr/lib/interguest/$program"
	ln -s ../lib/interguest/$program "$tree/usr/bin/$program"
done

cp "$root"/deploy/systemd/*.service "$tree/lib/systemd/system"
cp "$root/deploy/systemd/tcp.conf" "$root/deploy/systemd/lan.yaml" "$tree/usr/share/doc/interguest/examples"
cp "$root/README.md" "$root"/docs/*.md "$tree/usr/share/doc/interguest"
cat >"$tree/etc/default/interguest-switch" <<-'END'
	# More options of the switch: see interguest-switch(8).
	#INTERGUEST_SWITCH_OPTIONS="--topology /etc/interguest/lan.yaml --operator %libvirt"
	INTERGUEST_SWITCH_OPTIONS=""
END
run=$tree/usr/lib/interguest
"$run/interguest" completion bash >"$tree/usr/share/bash-completion/completions/interguest"
"$run/interguest" completion zsh >"$tree/usr/share/zsh/vendor-completions/_interguest"
"$run/interguest" completion fish >"$tree/usr/share/fish/vendor_completions.d/interguest.fish"
for program in interguest-switch interguest-agent; do # bash and fish look for them by the program's name
	ln -s interguest "$tree/usr/share/bash-completion/completions/$program"
	ln -s interguest.fish "$tree/usr/share/fish/vendor_completions.d/$program.fish"
done
"$root/deploy/man.sh" "$run/interguest" 1 | gzip -9n >"$tree/usr/share/man/man1/interguest.1.gz"
"$root/deploy/man.sh" "$run/interguest-agent" 1 | gzip -9n >"$tree/usr/share/man/man1/interguest-agent.1.gz"
"$root/deploy/man.sh" "$run/interguest-switch" 8 | gzip -9n >"$tree/usr/share/man/man8/interguest-switch.8.gz"

cp "$root"/deploy/debian/{postinst,prerm,postrm} "$tree/DEBIAN"
chmod 755 "$tree"/DEBIAN/{postinst,prerm,postrm}
echo /etc/default/interguest-switch >"$tree/DEBIAN/conffiles"
cat >"$tree/DEBIAN/control" <<-END
	Package: interguest
	Version: $version
	Architecture: $architecture
	Maintainer: InterGuest maintainers <interguest@localhost>
	Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)
	Depends: libc6 (>= 2.36), libgcc-s1, libstdc++6, zlib1g, adduser
	Recommends: systemd
	Suggests: qemu-system-x86
	Section: net
	Priority: optional
	Description: joins virtual machines on one host
	 A vhost-user back-end: the virtqueues of two guests are joined, and each
	 frame is copied once, from one guest's memory to the other's. No bridge, no
	 tap, no huge pages, no root.
END
chmod -R u=rwX,go=rX "$tree"
package=$out/interguest_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zzstd -z12 --build "$tree" "$package" >>"$log" 2>&1 || fail "dpkg-deb failed; the whole log is $log"
say "$package ($(du -h "$package" | cut -f1)) made in $SECONDS s"
