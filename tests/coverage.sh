#!/usr/bin/env bash
# Line and branch coverage of Virtio and of the data path by the unit tests and the fuzzers.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
'') ;;
*)
	cat <<-'END'
	usage: tests/coverage.sh

	Runs Virtio.Tests, Switch.Tests, Agent.Tests and Fuzz.Tests with coverage (the fuzzers for
	FUZZ_SECONDS each, 3 if it is not set), and prints lines and branches of Virtio and
	of Switch/DataPath that any of them reached, by folder.
	END
	[[ $1 == -h || $1 == --help ]] && exit 0 || exit 2
	;;
esac

compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
results=$root/artifacts/coverage
rm -rf "$results"
status=0
for project in Virtio.Tests Switch.Tests Agent.Tests Fuzz.Tests; do
	# A filter takes no hyphen. What counts lines writes a file as the process ends, which a sandbox forbids.
	dotnet test "$root/tests/$project" -nodeReuse:false --filter 'FullyQualifiedName!~SandboxTests' --collect 'XPlat Code Coverage' --results-directory "$results/$project" \
		--logger 'console;verbosity=minimal' -- DataCollectionRunSettings.DataCollectors.DataCollector.Configuration.Include='[InterGuest.Virtio]*,[interguest*switch]InterGuest.Switch.DataPath*' || status=1
done

/usr/bin/python3 - "$results" <<'END'
import collections, pathlib, re, sys
import xml.etree.ElementTree as xml

# Of each line: whether any run reached it, and its branches, of which the run that reached most counts.
lines, branches = collections.defaultdict(bool), collections.defaultdict(lambda: (0, 0))
for report in pathlib.Path(sys.argv[1]).rglob('coverage.cobertura.xml'):
    tree = xml.parse(report)
    root = next((s.text for s in tree.iter('source')), '')
    for one in tree.iter('class'):
        file = str(pathlib.Path(root) / one.get('filename'))
        if '/obj/' in file:
            continue
        for line in one.iter('line'):
            at = (file, int(line.get('number')))
            lines[at] |= int(line.get('hits')) > 0
            if found := re.search(r'\((\d+)/(\d+)\)', line.get('condition-coverage') or ''):
                branches[at] = max(branches[at], (int(found[1]), int(found[2])))
if not lines:
    sys.exit('coverage: no report was written')
folders = collections.defaultdict(lambda: [0, 0, 0, 0])
for (file, number), hit in lines.items():
    folder = re.search(r'/((?:Virtio|Switch)/.+)/[^/]+$', file)
    for name in ((folder[1] if folder else 'other'), 'all'):
        counts = folders[name]
        counts[0] += hit
        counts[1] += 1
        reached, there = branches.get((file, number), (0, 0))
        counts[2] += reached
        counts[3] += there
print(f"{'folder':24}{'lines':>18}{'branches':>18}")
for name, (hit, of, reached, there) in sorted(folders.items(), key=lambda f: (f[0] == 'all', f[0])):
    print(f"{name:24}{hit:6}/{of:<5}{100 * hit / of:5.1f}%{reached:6}/{there:<5}{100 * reached / max(1, there):5.1f}%")
END
((status == 0)) || echo "coverage: a test failed, so that less was reached than could be" >&2
exit "$status"
