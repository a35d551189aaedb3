#!/usr/bin/env bash
# measure.sh [options] -- CMD [ARG...]
#
# Measures how fast a vhost-user switch moves packets between two guests.
# CMD starts the switch; it must serve two vhost-user server sockets, whose
# paths replace the words {P0} and {P1} in its arguments (or are appended).
# The guests are two virtio-user ports of DPDK's testpmd: an independent
# poll-mode virtio driver, one process on one CPU.
#
#   -s "64 256"    frame sizes without FCS  (default "64 256 512 1024 1518 9000 65000")
#   -m "split+mrg" modes: split|packed, then any of +mrg (mergeable buffers)
#                  +io (in_order) +vec (vectorised driver) +big (frame in one buffer)
#   -t "oneway"    traffic (default oneway), any of
#                    oneway    POP frames circulate A->switch->B->A, never dropped
#                    twoway    the same in both directions at once (pps is the sum)
#                    pingpong  one frame circulates: ns is one hop, driver included
#                    flood     open loop: A sends all it can, B swallows it
#   -n 2   seconds per point          -r 1   runs (everything restarted each run)
#   -w 2   seconds of traffic before the first point after a start, whichever switch
#   -q 1024 ring size                 -p 512 frames in circulation per direction
#   -g 0   CPU of the generator       -c 1   CPU of the switch
#   -M auto  guest memory: huge (2 MB pages, reserved for the run if root), nohuge, auto
#   -L FILE  take this lock (flock) around every measuring group (under a minute)
#   -T     raw tab-separated lines, one per run, instead of the table of medians
#   -N n   nice value for generator and switch (default -20 as root, else 0)
#   -k     keep logs, say where       -S     no placement probe, pause nothing
#   -F 300 probe values below this many ns count as near
#
# Placement: on a virtual machine the host may move the two CPUs between sharing a
# cache ("near") and not ("far"), which changes every figure two- or threefold and
# hits any A/B comparison at random. A probe made of DPDK alone (two lcores handing
# a frame to and fro over net_ring) runs between measurements, everything else
# paused; a row is near or far only if the probes before and after it agree, else
# mixed. Compare rows of one placement only. -S skips the probe.
#
# Columns: core = placement, rtt = probe in ns, n = runs; kpps and gbps delivered; ns = 1e9/pps; gen% = share of time the
# generator was working rather than polling empty rings (near 100: it is the limit);
# gns = its own ns per frame (its ceiling is 1e9/gns; gns grows when the switch
# hands it frames in ones and twos instead of full bursts of 32); sw% = CPU used by the switch; idle% = the same, connected, no traffic;
# wait% = the worse of both sides' time spent waiting for its CPU (contention:
# distrust rows over 2); lost = frames missing at the end of a closed loop.
# Needs: Debian package dpdk; bash, coreutils, grep, sed, mawk, util-linux.
set -u
usage() { sed -n '2,/^# Needs/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
SIZES="64 256 512 1024 1518 9000 65000" MODES="split+mrg" TRAFFIC=oneway SECS=2 RUNS=1 WARM=2
QSIZE=1024 POP=512 GCPU=0 SCPU=1 MEM=auto LOCK= TSV=0 KEEP=0 PROBE=1 NEAR=300
NICE=$([ "$(id -u)" = 0 ] && echo -20 || echo 0)
while getopts s:m:t:n:w:r:q:p:g:c:M:L:TN:F:Skh o; do case $o in
    s) SIZES=$OPTARG ;; m) MODES=$OPTARG ;; t) TRAFFIC=$OPTARG ;; n) SECS=$OPTARG ;; w) WARM=$OPTARG ;;
    r) RUNS=$OPTARG ;; q) QSIZE=$OPTARG ;; p) POP=$OPTARG ;; g) GCPU=$OPTARG ;;
    c) SCPU=$OPTARG ;; M) MEM=$OPTARG ;; L) LOCK=$OPTARG ;; T) TSV=1 ;;
    N) NICE=$OPTARG ;; k) KEEP=1 ;; F) NEAR=$OPTARG ;; S) PROBE=0 ;; *) usage ;;
esac; done
shift $((OPTIND - 1)); [ $# -ge 1 ] || usage
for t in dpdk-testpmd taskset setsid stdbuf awk; do
    command -v $t >/dev/null || { echo "missing: $t" >&2; exit 2; }
done

DIR=$(mktemp -d "${TMPDIR:-/tmp}/vsw.XXXXXX") SW= GEN= PR= HP_OLD= SYNC=0 FAILED=0
HP=/sys/kernel/mm/hugepages/hugepages-2048kB
say() { echo "bench: $*" >&2; }
stop_pid() {                            # TERM, 3 s, KILL; the whole group we started
    local p=$1 i; [ -n "$p" ] || return 0
    kill -TERM -- "-$p" 2>/dev/null; kill -CONT -- "-$p" 2>/dev/null
    for i in {1..30}; do kill -0 "$p" 2>/dev/null || break; sleep .1; done
    kill -KILL -- "-$p" 2>/dev/null; wait "$p" 2>/dev/null; return 0
}
stop_gen() {
    [ -n "$GEN" ] || return 0
    echo quit >&8; local i
    for i in {1..30}; do kill -0 "$GEN" 2>/dev/null || break; sleep .1; done
    stop_pid "$GEN"; GEN=; exec 8>&-
    rm -rf "${XDG_RUNTIME_DIR:-/var/run}/dpdk/vsw$$" 2>/dev/null
}
stop_all() { stop_gen; stop_pid "$SW"; SW=; rm -f "$DIR"/p?.sock "$DIR/gen.in"; }
finish() {
    trap - EXIT; trap '' INT TERM HUP; stop_all
    [ -n "$PR" ] && { kill -CONT -- "-$PR"; kill -KILL -- "-$PR"; wait "$PR"; } 2>/dev/null
    [ -n "${AG:-}" ] && { echo "$AG" >/proc/self/autogroup; } 2>/dev/null
    [ -n "$HP_OLD" ] && echo "$HP_OLD" >$HP/nr_hugepages 2>/dev/null
    if [ $KEEP = 1 ]; then say "logs in $DIR"; else rm -rf "$DIR"; fi
    exit "$FAILED"
}
trap finish EXIT; trap 'FAILED=130; exit' INT TERM HUP

# ---- memory -----------------------------------------------------------------
need_mb=896                             # 64 KB buffers x 1024-entry rings; plus the switch
if [ "$MEM" != nohuge ]; then
    freep=$(cat $HP/free_hugepages 2>/dev/null || echo 0)
    if [ $((freep * 2)) -lt $need_mb ] && [ -w $HP/nr_hugepages ]; then
        HP_OLD=$(cat $HP/nr_hugepages)
        echo $((HP_OLD + need_mb / 2 - freep)) >$HP/nr_hugepages
        freep=$(cat $HP/free_hugepages)
    fi
    if [ $((freep * 2)) -ge $need_mb ]; then MEM=huge
    elif [ "$MEM" = huge ]; then say "not enough 2 MB pages"; FAILED=1; exit
    else MEM=nohuge; fi
fi

# Own session, pinned; nice counts only inside a session where autogroups are on, hence both.
PRIO='echo "$0" >/proc/self/autogroup; c=$1; shift; exec nice -n "$0" taskset -c "$c" "$@"'

# This script must not starve behind what it measures; put back in finish.
AG=$(sed -n 's/.*nice //p' /proc/self/autogroup 2>/dev/null)
[ -n "$AG" ] && { echo "$NICE" >/proc/self/autogroup; } 2>/dev/null

# ---- the generator ------------------------------------------------------------
g() { printf '%s\n' "$@" >&8; }
gsync() {                               # wait until the shell has done all so far
    SYNC=$((SYNC + 1)); g "#sync$SYNC#"
    local i; for ((i = 0; i < ${1:-100}; i++)); do
        grep -q "#sync$SYNC#" "$DIR/gen.log" && return 0
        kill -0 "$GEN" 2>/dev/null || break; sleep .05
    done
    say "generator stuck or dead:"; tail -5 "$DIR/gen.log" >&2; return 1
}
probe_start() {
    rm -f "$DIR/pr.in"; mkfifo "$DIR/pr.in"; exec 7<>"$DIR/pr.in"; : >"$DIR/pr.log"
    setsid sh -c "$PRIO" "$NICE" "$GCPU,$SCPU" stdbuf -oL dpdk-testpmd --lcores="0@$GCPU,1@$GCPU,2@$SCPU" \
        --no-pci --no-telemetry --no-huge --no-shconf -m 64 --vdev net_ring0 --vdev net_ring1 -- -i \
        --nb-cores=2 --total-num-mbufs=2048 --no-flush-rx --port-topology=chained --forward-mode=io \
        <&7 >>"$DIR/pr.log" 2>&1 7>&- 8>&- 9>&- &
    PR=$!
    printf '%s\n' "set burst 1" "start tx_first 1" "#up#" >&7
    local i; for i in {1..200}; do grep -q '#up#' "$DIR/pr.log" && { kill -STOP -- "-$PR"; return 0; }; sleep .05; done
    say "no placement probe:"; tail -3 "$DIR/pr.log" >&2; PROBE=0; PR=
}
probe() {                               # ns per hand-over between the two CPUs, into $RTT
    RTT=0; [ $PROBE = 1 ] || return 0
    [ -n "$PR" ] || probe_start; [ -n "$PR" ] || return 0
    local n i; n=$(grep -c Rx-pps "$DIR/pr.log")
    [ -n "$SW" ] && kill -STOP -- "-$SW"
    kill -CONT -- "-$PR"; sleep .02
    echo "show port stats 0" >&7; sleep .12; echo "show port stats 0" >&7
    for i in {1..40}; do [ "$(grep -c Rx-pps "$DIR/pr.log")" -ge $((n + 2)) ] && break; sleep .02; done
    kill -STOP -- "-$PR"; [ -n "$SW" ] && kill -CONT -- "-$SW"
    RTT=$(awk '/Rx-pps:/ { r = $2 } END { printf "%.0f", r ? 1e9 / r : 0 }' "$DIR/pr.log")
}
place() {                               # RTT before, RTT after
    if [ $PROBE = 0 ]; then echo -; elif [ "$1" -lt "$NEAR" ] && [ "$2" -lt "$NEAR" ]; then echo near
    elif [ "$1" -ge "$NEAR" ] && [ "$2" -ge "$NEAR" ]; then echo far; else echo mixed; fi
}
start_switch() {
    local a args=() seen=0
    for a in "$@"; do
        case $a in *'{P0}'*|*'{P1}'*) seen=1 ;; esac
        a=${a//'{P0}'/$DIR/p0.sock}; args+=("${a//'{P1}'/$DIR/p1.sock}")
    done
    [ $seen = 1 ] || args+=("$DIR/p0.sock" "$DIR/p1.sock")
    rm -f "$DIR"/p?.sock
    setsid sh -c "$PRIO" "$NICE" "$SCPU" "${args[@]}" </dev/null >"$DIR/sw.log" 2>&1 8>&- 9>&- &
    SW=$!
    local i; for i in {1..150}; do
        [ -S "$DIR/p0.sock" ] && [ -S "$DIR/p1.sock" ] && { sleep .4; return 0; }
        kill -0 "$SW" 2>/dev/null || break; sleep .1
    done
    say "the switch did not create its sockets:"; tail -5 "$DIR/sw.log" >&2; return 1
}
start_gen() {                           # MODE MBUF_SIZE FLOOD_SIZE|- FIRST_SIZE
    local mode=$1 mbuf=$2 flood=${3#-} left=$4 data=$(($2 - 128)) list= dev=",queues=1,queue_size=$QSIZE" simd=() v=() off=() mem n mb
    case $mode in packed*) dev+=,packed_vq=1 ;; split*) dev+=,packed_vq=0 ;; *) say "mode $mode?"; return 1 ;; esac
    case $mode in *+mrg*) dev+=,mrg_rxbuf=1 ;; *) dev+=,mrg_rxbuf=0 ;; esac
    case $mode in *+io*) dev+=,in_order=1 ;; *) dev+=,in_order=0 ;; esac
    case $mode in *+vec*) dev+=,vectorized=1; simd=(--force-max-simd-bitwidth=512) ;; esac
    # A virtio driver frees sent frames lazily: up to a ring full of chains (8 segments at most) per port.
    n=$((QSIZE * (mbuf > 2176 ? 4 : 18) + 1536)); mb=$((n * (mbuf + 320) / 1048576 + 48)); mb=$(((mb + 1) / 2 * 2))
    case $MEM in huge) mem=(--in-memory --single-file-segments -m $mb) ;;
                 *) mem=(--no-huge --file-prefix="vsw$$" -m $((mb + 32))) ;; esac
    if [ -n "$flood" ]; then v+=(--vdev "net_null0,size=$flood")
    else                                # a list over 128 characters only fits the command line
        while [ $left -gt 0 ]; do list+=,$((left < data ? left : data)); left=$((left - data)); done
        off=(--tx-offloads=0x8000 --txpkts="${list#,}")
    fi
    v+=(--vdev "net_virtio_user0,path=$DIR/p0.sock,mac=02:00:00:00:00:0a$dev"
        --vdev "net_virtio_user1,path=$DIR/p1.sock,mac=02:00:00:00:00:0b$dev")
    [ -n "$flood" ] && v+=(--vdev "net_null1,no-rx=1")
    rm -f "$DIR/gen.in"; mkfifo "$DIR/gen.in"; exec 8<>"$DIR/gen.in"; : >"$DIR/gen.log"
    setsid sh -c "$PRIO" "$NICE" "$GCPU" stdbuf -oL dpdk-testpmd --lcores="0@$GCPU,1@$GCPU" \
        --no-pci --no-telemetry "${mem[@]}" "${simd[@]}" "${v[@]}" -- -i --record-core-cycles \
        --rxd="$QSIZE" --txd="$QSIZE" --total-num-mbufs=$n --mbuf-size="$mbuf" "${off[@]}" \
        --forward-mode=io --port-topology=paired --disable-link-check --no-flush-rx \
        <&8 >>"$DIR/gen.log" 2>&1 8>&- 9>&- &
    GEN=$!
    gsync 300 || return 1
    grep -qE 'Failed to start device|Fail to start port|probe failed' "$DIR/gen.log" &&
        { say "generator could not attach:"; grep -iE 'fail' "$DIR/gen.log" | head -3 >&2; return 1; }
    return 0
}
rate() { awk -v p="$1" '/NIC statistics for port/ { q = $6 } /Rx-pps:/ && q == p { r = $2 } END { print r + 0 }' "$DIR/gen.log"; }
# bytes and frames received on the ports given, at their last "show"
got() { awk -v ps=" $* " '/NIC statistics for port/ { q = $6; on = 1 } /^ *Throughput/ { on = 0 }
    on && /RX-packets:/ { n[q] = $2; b[q] = $NF } END { for (q in n) if (index(ps, " " q " ")) { N += n[q]; B += b[q] } printf "%.0f %.0f\n", B, N }' "$DIR/gen.log"; }
last() { awk -v k="$1" '$1 == k ":" { r = $2 } END { print r + 0 }' < <(sed -n '/Accumulated forward/,/+++++++$/p' "$DIR/gen.log"); }
# sample: "uptime_s switch_cpu_ns switch_wait_ns gen_wait_ns"; the switch is everything in its session
sample() {
    local p sw
    sw=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v s="$SW" '{ p = $1; sub(/^.*\) /, ""); if ($4 == s) printf "%s ", p }')
    { cat /proc/uptime; for p in $sw; do echo s; cat /proc/"$p"/task/*/schedstat; done
      echo g; cat /proc/"$GEN"/task/*/schedstat; } 2>/dev/null |
        awk 'NR == 1 { t = $1; next } NF == 1 { m = $1; next } m == "s" { c += $1; w += $2 } m == "g" { g += $2 }
             END { printf "%s %.0f %.0f %.0f\n", t, c, w, g }'
}

# measure MODE TRAFFIC SIZE MBUF RUN: one line to stdout
measure() {
    local mode=$1 traffic=$2 size=$3 data=$(($4 - 128)) run=$5
    local left=$size segs=() burst=32 n k ports=1 pl=0 lost=- s0 s1 p pps=0 got cpp=- g0 len list
    while [ $left -gt 0 ]; do segs+=($((left < data ? left : data))); left=$((left - data)); done
    n=$((POP / (${#segs[@]} > 1 ? ${#segs[@]} + 1 : 1))); [ "$traffic" = pingpong ] && n=1
    if [ $n -ge 32 ]; then n=$((n / 32 * 32)); k=$((n / 32)); else [ $n -ge 1 ] || n=1; burst=$n; k=1; fi
    list=$(IFS=,; echo "${segs[*]}"); g "clear port stats all"
    case $traffic in
    flood)  g "set fwd io" "set burst 32" "start"; ports=2 ;;
    *)      [ "$traffic" = twoway ] && { pl=0,1; ports="0 1"; }
            g "set portlist $pl" "set fwd io" "set burst $burst" "$([ ${#list} -gt 120 ] || echo "set txpkts $list")" \
              "start tx_first $k" "stop" "set portlist 0,1" "set burst 32"
            g "start" ;;
    esac
    gsync || return 1; sleep "$warm"; warm=.4
    for p in $ports; do g "show port stats $p"; done; gsync || return 1
    g0=$(got $ports); s0=$(sample); sleep "$SECS"; s1=$(sample)
    for p in $ports; do g "show port stats $p"; done; gsync || return 1
    for p in $ports; do pps=$((pps + $(rate "$p"))); done
    # testpmd ignores a size it does not like, and a switch may cut frames: only whole ones count
    len=$(echo "$g0 $(got $ports)" | awk '{ d = $4 - $2; print (d ? ($3 - $1) / d : 0) }')
    g "stop"; gsync || return 1
    if [ "$traffic" != flood ]; then
        cpp=$(sed -n 's|.*cycles/packet=\([0-9.]*\) .* at \([0-9]*\) MHz.*|\1 \2|p' "$DIR/gen.log" | tail -1)
        g "set fwd rxonly" "start"; gsync || return 1; sleep .15; g "stop"; gsync || return 1
        got=$(last RX-packets); [ "$traffic" = twoway ] && n=$((n * 2)); lost=$((n - got))
    fi
    local r0=$RTT; probe
    if [ $pps -gt 0 ] && [ "$(awk -v l="$len" -v s="$size" 'BEGIN { print (l > s - .5 && l < s + .5) }')" != 1 ]; then
        say "frames of $len bytes instead of $size: row dropped ($mode $traffic)"; FAILED=1; return 0
    fi
    echo "$s0 $s1 ${cpp:--}" | awk -v core="$(place "$r0" "$RTT")" -v rtt=$(((r0 + RTT) / 2)) -v OFS='\t' -v s="$size" -v m="$mode" -v t="$traffic" -v r="$run" \
        -v pps=$pps -v idle="$IDLE" -v lost="$lost" '{
        us = ($5 - $1) * 1e6; w = $7 - $3 > $8 - $4 ? $7 - $3 : $8 - $4
        print s, m, t, core, rtt, r, pps, sprintf("%.3f", pps * s * 8 / 1e9), pps ? sprintf("%.1f", 1e9 / pps) : "-",
              $9 == "-" ? "-" : sprintf("%.0f", 100 * $9 * pps / $10 / 1e6), $9 == "-" ? "-" : sprintf("%.1f", $9 * 1e3 / $10), sprintf("%.0f", ($6 - $2) / us / 10), idle, sprintf("%.1f", w / us / 10), lost }'
}
# group MODE TRAFFIC MBUF RUN SIZE...: fresh switch, fresh generator, some sizes
group() {
    local mode=$1 traffic=$2 mbuf=$3 run=$4 s ok=1 warm=$WARM; shift 4
    [ -n "$LOCK" ] && { exec 9>"$LOCK"; flock 9; }
    IDLE=-
    if start_switch "${CMD[@]}" && start_gen "$mode" "$mbuf" "$([ "$traffic" = flood ] && echo "$1" || echo -)" "$1"; then
        sleep .3; s=$(sample); sleep .7
        IDLE=$(echo "$s $(sample)" | awk '{ printf "%.0f", ($6 - $2) / ($5 - $1) / 1e7 }')
        probe; for s; do measure "$mode" "$traffic" "$s" "$mbuf" "$run" || { ok=0; break; }; done
    else ok=0; fi
    [ $ok = 1 ] || { FAILED=1; say "failed: $mode $traffic $*"; [ $KEEP = 1 ] && cp "$DIR/gen.log" "$DIR/gen.failed.log"; }
    stop_all; [ -n "$LOCK" ] && exec 9>&-
    return 0
}
CMD=("$@")
all() {
    local run mode tr s small
    for ((run = 1; run <= RUNS; run++)); do for mode in $MODES; do for tr in $TRAFFIC; do
        small=()
        for s in $SIZES; do
            if [ "$tr" = flood ]; then group "$mode" "$tr" $((s <= 2048 ? 2176 : (s + 319) / 64 * 64)) $run "$s"
            elif [ "$s" -le 2048 ] || { [[ $mode = *+mrg* && $mode != *+big* ]] && [ "$s" -le 49152 ]; }; then small+=("$s"); fi
        done
        [ "$tr" != flood ] && [ ${#small[@]} -gt 0 ] && group "$mode" "$tr" 2176 $run "${small[@]}"
        [ "$tr" != flood ] && for s in $SIZES; do
            if [ "$s" -le 2048 ]; then :
            elif [[ $mode != *+mrg* || $mode = *+big* ]]; then group "$mode" "$tr" $(((s + 319) / 64 * 64)) $run "$s"
            elif [ "$s" -gt 49152 ]; then group "$mode" "$tr" 2176 $run "$s"; fi
        done
    done; done; done
}
COLS='size\tmode\ttraffic\tcore\trtt\trun\tpps\tgbps\tns\tgen%\tgns\tsw%\tidle%\twait%\tlost'
if [ $TSV = 1 ]; then echo -e "$COLS"; all
else
    all >"$DIR/out.tsv"
    echo "# guest memory $MEM, rings of $QSIZE, $POP frames in flight, ${SECS} s x $RUNS runs; medians, spread = (max-min)/median"
    awk -F'\t' '
    function med2(str,   n, a) { n = split(str, a, " "); return a[int((n + 1) / 2)] }
    function med(k,   n, i, j, t, a) { cnt = n = split(v[k], a, " ")
        for (i = 2; i <= n; i++) { t = a[i] + 0; for (j = i - 1; j > 0 && a[j] + 0 > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
        lo = a[1]; hi = a[n]; return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
    { k = $1 FS $2 FS $3; if (!(k in seen)) { seen[k]; ord[++m] = k } k = k FS $4
      v[k] = v[k] " " $7; rt[k] = rt[k] " " $5; g[k] = $10; gn[k] = $11; c[k] = $12; id[k] = $13
      if ($14 + 0 > w[k] + 0) w[k] = $14; if ($15 != "-" && ($15 + 0) * ($15 + 0) > l[k] * l[k]) l[k] = $15 + 0 }
    END { split("near far - mixed", cl, " ")
      printf "%-7s%-16s%-10s%-6s%5s%3s%10s%9s%9s%8s%6s%7s%6s%6s%7s%6s\n", "size", "mode", "traffic", "core", "rtt", "n", "kpps", "gbps", "ns", "spread", "gen%", "gns", "sw%", "idle%", "wait%", "lost"
      for (i = 1; i <= m; i++) for (q = 1; q <= 4; q++) { k = ord[i] FS cl[q]; if (!(k in v)) continue
        if (cl[q] == "mixed" && ((ord[i] FS "near") in v || (ord[i] FS "far") in v)) continue
        split(k, f, FS); x = med2(rt[k]); p = med(k)
        printf "%-7s%-16s%-10s%-6s%5d%3d%10.1f%9.2f%9.1f%7.1f%%%6s%7s%6s%6s%7s%6d\n", f[1], f[2], f[3], cl[q], x, cnt, p / 1000, p * f[1] * 8e-9, p ? 1e9 / p : 0, p ? 100 * (hi - lo) / p : 0, g[k], gn[k], c[k], id[k], w[k] + 0, l[k] } }' "$DIR/out.tsv"
fi
