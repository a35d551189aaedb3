#!/usr/bin/env bash
# measure.sh [options] -- SWITCH [ARG...] [-- SWITCH [ARG...]]
#
# Measures how fast a vhost-user switch moves packets between two guests, or how
# fast two switches do, in turns of a fraction of a second: while one of them and
# its guests run, the other and its guests are stopped (SIGSTOP), so that what the
# machine does otherwise hits both alike. A SWITCH serves two vhost-user sockets,
# whose paths are appended to its arguments. The guests are two virtio-user ports
# of DPDK's testpmd: an independent poll-mode driver, one process on one CPU.
#
#   -s "64 256"    frame sizes without FCS  (default "64 256 512 1024 1518 9000 65000")
#   -m "split+mrg" modes: split|packed, then any of +mrg (mergeable buffers)
#                  +io (in_order) +vec (vectorised driver) +big (frame in one buffer)
#   -t "oneway"    traffic (default oneway), any of
#                    oneway    POP frames circulate A->switch->B->A, never dropped
#                    twoway    the same in both directions at once (pps is the sum)
#                    pingpong  one frame circulates: ns is one hop, driver included
#                    flood     open loop: A sends all it can, B swallows it
#   -r 10  turns of each switch at each point      -n .3  seconds of a turn
#   -w 2   seconds of traffic before the first turn after a start
#   -q 1024 ring size                 -p 512 frames in circulation per direction and queue pair
#   -Q 1   queue pairs, told to the switches as QUEUES; more than 1: frames of one buffer only
#   -g 0   CPU of the generator       -c 1   CPU of the switch
#   -M auto  guest memory: huge (2 MB pages, reserved for the run if root), nohuge, auto
#   -N n   nice value for generator and switch (default -20 as root, else 0)
#   -F 300 probe values below this many ns count as near
#   -k     keep logs, say where       -S     no placement probe
#
# Placement: on a virtual machine the host may move the two CPUs between sharing a
# cache ("near") and not ("far"), which changes every figure two- or threefold. A
# probe made of DPDK alone (two lcores handing a frame to and fro over net_ring)
# runs before and after each pair of turns, all else stopped; the pair is near or
# far only if both agree, else mixed. Compare turns of one placement only.
#
# Prints a tab-separated line a turn, under a line of names: switch (A, B), size,
# mode, traffic, core = placement, rtt = probe in ns, turn, pps, gbps, ns = 1e9/pps;
# gen% = share of its time that the generator worked rather than polled empty rings
# (near 100: it is the limit); gns = its own ns per frame, before the first turn; sw% = CPU
# used by the switch; idle% = the same, connected, without traffic; wait% = the
# worse of both sides' time spent waiting for its CPU (contention: distrust lines
# over 2); lost = frames missing at the end of a closed loop, on the first turn's line.
# Exit status: 0; 1 a point failed; 2 wrong usage.
# Needs: Debian package dpdk; bash, coreutils, grep, sed, mawk, util-linux.
set -u
usage() { sed -n '2,/^# Needs/s/^# \{0,1\}//p' "$0"; }
SIZES="64 256 512 1024 1518 9000 65000" MODES="split+mrg" TRAFFIC=oneway SECS=.3 TURNS=10 WARM=2
QSIZE=1024 QUEUES=1 POP=512 GCPU=0 SCPU=1 MEM=auto KEEP=0 PROBE=1 NEAR=300
NICE=$([ "$(id -u)" = 0 ] && echo -20 || echo 0)
while getopts s:m:t:n:w:r:q:Q:p:g:c:M:N:F:Skh o; do case $o in
    s) SIZES=$OPTARG ;; m) MODES=$OPTARG ;; t) TRAFFIC=$OPTARG ;; n) SECS=$OPTARG ;; w) WARM=$OPTARG ;;
    r) TURNS=$OPTARG ;; q) QSIZE=$OPTARG ;; Q) QUEUES=$OPTARG ;; p) POP=$OPTARG ;; g) GCPU=$OPTARG ;; c) SCPU=$OPTARG ;; M) MEM=$OPTARG ;;
    N) NICE=$OPTARG ;; k) KEEP=1 ;; F) NEAR=$OPTARG ;; S) PROBE=0 ;; h) usage; exit 0 ;; *) usage >&2; exit 2 ;;
esac; done
shift $((OPTIND - 1))
export QUEUES
declare -a CMD0=() CMD1=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do CMD0+=("$1"); shift; done
[ $# -gt 0 ] && { shift; CMD1=("$@"); }
[ ${#CMD0[@]} -gt 0 ] || { usage >&2; exit 2; }
SIDES="0${CMD1:+ 1}"
for t in dpdk-testpmd taskset setsid stdbuf awk; do
    command -v $t >/dev/null || { echo "missing: $t" >&2; exit 2; }
done

# Of each side: its switch, the processes of that, its generator, and where that listens.
declare -a SW=() PIDS=() GEN=() IN=() IDLE=()
DIR=$(mktemp -d "${TMPDIR:-/tmp}/vsw.XXXXXX") PR= HP_OLD= SYNC=0 FAILED=0 S=0
mkdir "$DIR/0" "$DIR/1"
HP=/sys/kernel/mm/hugepages/hugepages-2048kB
say() { echo "bench: $*" >&2; }
stop_pid() {                            # TERM, 3 s, KILL; the whole group we started
    local p=$1 i; [ -n "$p" ] || return 0
    kill -TERM -- "-$p" 2>/dev/null; kill -CONT -- "-$p" 2>/dev/null
    for i in {1..30}; do kill -0 "$p" 2>/dev/null || break; sleep .1; done
    kill -KILL -- "-$p" 2>/dev/null; wait "$p" 2>/dev/null; return 0
}
signal_side() { kill "-$1" -- ${SW[S]:+"-${SW[S]}"} ${GEN[S]:+"-${GEN[S]}"} 2>/dev/null; }
pause() { signal_side STOP; }
resume() { signal_side CONT; }
stop_side() {
    resume
    if [ -n "${GEN[S]:-}" ]; then
        g quit; local i
        for i in {1..30}; do kill -0 "${GEN[S]}" 2>/dev/null || break; sleep .1; done
        stop_pid "${GEN[S]}"; GEN[S]=; exec {IN[S]}>&-
        rm -rf "${XDG_RUNTIME_DIR:-/var/run}/dpdk/vsw$$-$S" 2>/dev/null
    fi
    stop_pid "${SW[S]:-}"; SW[S]=
    rm -f "$DIR/$S"/p?.sock "$DIR/$S/gen.in"
}
stop_all() { for S in $SIDES; do stop_side; done; }
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
need_mb=$(((896 + 24 * (QUEUES - 1)) * (${#CMD1[@]} > 0 ? 2 : 1))) # 64 KB buffers x 1024-entry rings; plus the switch
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

# ---- the generators -----------------------------------------------------------
g() { printf '%s\n' "$@" >&"${IN[S]}"; }
gsync() {                               # wait until the shell has done all so far
    SYNC=$((SYNC + 1)); g "#sync$SYNC#"
    local i; for ((i = 0; i < ${1:-500}; i++)); do
        grep -q "#sync$SYNC#" "$DIR/$S/gen.log" && return 0
        kill -0 "${GEN[S]}" 2>/dev/null || break; sleep .01
    done
    say "generator stuck or dead:"; tail -5 "$DIR/$S/gen.log" >&2; return 1
}
probe_start() {
    mkfifo "$DIR/pr.in"; exec {PRIN}<>"$DIR/pr.in"; : >"$DIR/pr.log"
    setsid sh -c "$PRIO" "$NICE" "$GCPU,$SCPU" stdbuf -oL dpdk-testpmd --lcores="0@$GCPU,1@$GCPU,2@$SCPU" \
        --no-pci --no-telemetry --no-huge --no-shconf -m 64 --vdev net_ring0 --vdev net_ring1 -- -i \
        --nb-cores=2 --total-num-mbufs=2048 --no-flush-rx --port-topology=chained --forward-mode=io \
        <&"$PRIN" >>"$DIR/pr.log" 2>&1 &
    PR=$!
    printf '%s\n' "set burst 1" "start tx_first 1" "#up#" >&"$PRIN"
    local i; for i in {1..200}; do grep -q '#up#' "$DIR/pr.log" && { kill -STOP -- "-$PR"; return 0; }; sleep .05; done
    say "no placement probe:"; tail -3 "$DIR/pr.log" >&2; PROBE=0; PR=
}
probe() {                               # ns per hand-over between the two CPUs, into RTT; all else is stopped
    RTT=0; [ $PROBE = 1 ] || return 0
    [ -n "$PR" ] || probe_start; [ -n "$PR" ] || return 0
    local n i; n=$(grep -c Rx-pps "$DIR/pr.log")
    kill -CONT -- "-$PR"; sleep .02
    echo "show port stats 0" >&"$PRIN"; sleep .1; echo "show port stats 0" >&"$PRIN"
    for i in {1..40}; do [ "$(grep -c Rx-pps "$DIR/pr.log")" -ge $((n + 2)) ] && break; sleep .01; done
    kill -STOP -- "-$PR"
    RTT=$(awk '/Rx-pps:/ { r = $2 } END { printf "%.0f", r ? 1e9 / r : 0 }' "$DIR/pr.log")
}
place() {                               # RTT before, RTT after
    if [ $PROBE = 0 ]; then echo -; elif [ "$1" -lt "$NEAR" ] && [ "$2" -lt "$NEAR" ]; then echo near
    elif [ "$1" -ge "$NEAR" ] && [ "$2" -ge "$NEAR" ]; then echo far; else echo mixed; fi
}
start_switch() {
    local -n command=CMD$S
    local d=$DIR/$S i
    setsid sh -c "$PRIO" "$NICE" "$SCPU" "${command[@]}" "$d/p0.sock" "$d/p1.sock" </dev/null >"$d/sw.log" 2>&1 &
    SW[S]=$!
    for i in {1..150}; do
        [ -S "$d/p0.sock" ] && [ -S "$d/p1.sock" ] && { sleep .4; return 0; }
        kill -0 "${SW[S]}" 2>/dev/null || break; sleep .1
    done
    say "the switch did not create its sockets:"; tail -5 "$d/sw.log" >&2; return 1
}
start_gen() {                           # MODE MBUF_SIZE FLOOD_SIZE|- FIRST_SIZE
    local mode=$1 mbuf=$2 flood=${3#-} left=$4 data=$(($2 - 128)) d=$DIR/$S list= dev=",queues=$QUEUES,cq=$((QUEUES > 1)),queue_size=$QSIZE" simd=() v=() off=() mem n mb
    case $mode in packed*) dev+=,packed_vq=1 ;; split*) dev+=,packed_vq=0 ;; *) say "mode $mode?"; return 1 ;; esac
    case $mode in *+mrg*) dev+=,mrg_rxbuf=1 ;; *) dev+=,mrg_rxbuf=0 ;; esac
    case $mode in *+io*) dev+=,in_order=1 ;; *) dev+=,in_order=0 ;; esac
    case $mode in *+vec*) dev+=,vectorized=1; simd=(--force-max-simd-bitwidth=512) ;; esac
    # A virtio driver frees sent frames lazily: up to a ring full of chains (8 segments at most) per port. Where there are
    # more buffers than it takes, all of them go round, and are cold: more so with a switch that has them wait for the driver.
    n=$((QSIZE * (mbuf > 2176 || QUEUES > 1 ? 4 : 18) * QUEUES + 1536)); mb=$((n * (mbuf + 320) / 1048576 + 48)); mb=$(((mb + 1) / 2 * 2))
    case $MEM in huge) mem=(--in-memory --single-file-segments -m $mb) ;;
                 *) mem=(--no-huge --file-prefix="vsw$$-$S" -m $((mb + 32))) ;; esac
    if [ -n "$flood" ]; then v+=(--vdev "net_null0,size=$flood")
    else                                # a list over 128 characters only fits the command line
        while [ $left -gt 0 ]; do list+=,$((left < data ? left : data)); left=$((left - data)); done
        off=(--tx-offloads=0x8000 --txpkts="${list#,}")
    fi
    v+=(--vdev "net_virtio_user0,path=$d/p0.sock,mac=02:00:00:00:00:0a$dev"
        --vdev "net_virtio_user1,path=$d/p1.sock,mac=02:00:00:00:00:0b$dev")
    [ -n "$flood" ] && v+=(--vdev "net_null1,no-rx=1")
    mkfifo "$d/gen.in"; exec {IN[S]}<>"$d/gen.in"; : >"$d/gen.log"
    setsid sh -c "$PRIO" "$NICE" "$GCPU" stdbuf -oL dpdk-testpmd --lcores="0@$GCPU,1@$GCPU" \
        --no-pci --no-telemetry "${mem[@]}" "${simd[@]}" "${v[@]}" -- -i --record-core-cycles \
        --rxq="$QUEUES" --txq="$QUEUES" --rxd="$QSIZE" --txd="$QSIZE" --total-num-mbufs=$n --mbuf-size="$mbuf" "${off[@]}" \
        --forward-mode=io --port-topology=paired --disable-link-check --no-flush-rx \
        <&"${IN[S]}" >>"$d/gen.log" 2>&1 &
    GEN[S]=$!
    gsync 1500 || return 1
    grep -qE 'Failed to start device|Fail to start port|probe failed' "$d/gen.log" &&
        { say "generator could not attach:"; grep -iE 'fail' "$d/gen.log" | head -3 >&2; return 1; }
    return 0
}
start_side() {                          # as start_gen: both, idle for a moment, then paused
    local a
    start_switch && start_gen "$@" || return 1
    PIDS[S]=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v s="${SW[S]}" '{ p = $1; sub(/^.*\) /, ""); if ($4 == s) printf "%s ", p }')
    sleep .3; a=$(sample); sleep .7
    IDLE[S]=$(echo "$a $(sample)" | awk '{ printf "%.0f", ($6 - $2) / ($5 - $1) / 1e7 }')
    pause
}
# of these ports, at their last "show": frames/s since the show before, bytes and frames
shown() { tac "$DIR/$S/gen.log" | awk -v ps=" $* " -v left=$# '
    /Rx-pps:/ { r = $2 } /RX-packets:/ { n = $2; b = $NF }
    /NIC statistics for port/ && index(ps, " " $6 " ") && !($6 in seen) { seen[$6]; R += r; N += n; B += b; if (!--left) exit }
    END { printf "%.0f %.0f %.0f\n", R, B, N }'; }
last() { awk -v k="$1" '$1 == k ":" { r = $2 } END { print r + 0 }' < <(sed -n '/Accumulated forward/,/+++++++$/p' "$DIR/$S/gen.log"); }
# sample: "uptime_s switch_cpu_ns switch_wait_ns gen_wait_ns"
sample() {
    local p
    { cat /proc/uptime; for p in ${PIDS[S]}; do echo s; cat /proc/"$p"/task/*/schedstat; done
      echo g; cat /proc/"${GEN[S]}"/task/*/schedstat; } 2>/dev/null |
        awk 'NR == 1 { t = $1; next } NF == 1 { m = $1; next } m == "s" { c += $1; w += $2 } m == "g" { g += $2 }
             END { printf "%s %.0f %.0f %.0f\n", t, c, w, g }'
}
show() { local p; for p in $PORTS; do g "show port stats $p"; done; gsync; }

# ---- a point ------------------------------------------------------------------
begin() {                               # TRAFFIC SIZE MBUF WARM: traffic flows, and is warm
    local traffic=$1 left=$2 data=$(($3 - 128)) warm=$4 segs=() burst=32 k pl=0 list
    while [ $left -gt 0 ]; do segs+=($((left < data ? left : data))); left=$((left - data)); done
    FRAMES=$((POP / (${#segs[@]} > 1 ? ${#segs[@]} + 1 : 1))); [ "$traffic" = pingpong ] && FRAMES=1
    if [ $FRAMES -ge 32 ]; then FRAMES=$((FRAMES / 32 * 32)); k=$((FRAMES / 32)); else [ $FRAMES -ge 1 ] || FRAMES=1; burst=$FRAMES; k=1; fi
    list=$(IFS=,; echo "${segs[*]}"); g "clear port stats all"
    PORTS=1
    case $traffic in
    flood)  g "set fwd io" "set burst 32" "start"; PORTS=2 ;;
    *)      [ "$traffic" = twoway ] && { pl=0,1; PORTS="0 1"; }
            g "set portlist $pl" "set fwd io" "set burst $burst" "$([ ${#list} -gt 120 ] || echo "set txpkts $list")" \
              "start tx_first $k" "stop" "set portlist 0,1" "set burst 32"
            g "start" ;;
    esac
    gsync || return 1; sleep "$warm"; echo "- -" >"$DIR/$S/cycles"
    if [ "$traffic" != flood ]; then    # in turns a generator's clock runs on while it is stopped
        g stop; gsync || return 1
        sed -n 's|.*cycles/packet=\([0-9.]*\) .* at \([0-9]*\) MHz.*|\1 \2|p' "$DIR/$S/gen.log" | tail -1 >"$DIR/$S/cycles"
        g start; gsync || return 1; sleep .1
    fi
    show && shown $PORTS >"$DIR/$S/first"
}
turn() {                                # "pps start-sample end-sample", to a file of the side's
    local a b
    resume; sleep .03; show || return 1
    a=$(sample); sleep "$SECS"; b=$(sample)
    show || return 1
    pause
    read -r pps _ < <(shown $PORTS)
    echo "$pps $a $b" >"$DIR/$S/turn"
}
end() {                                 # TRAFFIC SIZE: counts what is lost; fails if frames were not what they should be
    local lost=- got len frames=$((FRAMES * QUEUES))
    # testpmd ignores a size it does not like, and a switch may cut frames: only whole ones count. It counts bytes and frames
    # one after the other: at either look a burst may be in one count only.
    len=$(echo "$(cat "$DIR/$S/first") $(shown $PORTS)" | awk -v s="$2" '
        { d = $6 - $3; odd = $5 - $2 - d * s; print (!d ? 0 : odd * odd <= (64 * s) ^ 2 ? s : ($5 - $2) / d) }')
    g stop; gsync || return 1
    if [ "$1" != flood ]; then
        g "set fwd rxonly" "start"; gsync || return 1; sleep .15; g "stop"; gsync || return 1
        [ "$1" = twoway ] && frames=$((frames * 2))
        got=$(last RX-packets); lost=$((frames - got))
    fi
    if [ "$(awk -v l="$len" -v s="$2" 'BEGIN { print (l == 0 || (l > s - .5 && l < s + .5)) }')" != 1 ]; then
        say "frames of $len bytes instead of $2: point dropped ($1)"; return 1
    fi
    [ "$lost" = - ] || [ "$lost" = 0 ] || { say "$lost of $frames frames of $2 bytes are lost ($1)"; FAILED=1; }
    echo "$(cat "$DIR/$S/cycles") $lost" >"$DIR/$S/end"
}
measure() {                             # MODE TRAFFIC SIZE MBUF WARM: lines to stdout
    local mode=$1 traffic=$2 size=$3 mbuf=$4 before turn names=(A B)
    for S in $SIDES; do resume; begin "$traffic" "$size" "$mbuf" "$5" || return 1; pause; : >"$DIR/$S/lines"; done
    probe
    for ((turn = 1; turn <= TURNS; turn++)); do
        before=$RTT
        for S in $(if ((turn % 2)); then echo "$SIDES"; else echo "$SIDES" | rev; fi); do turn || return 1; done
        probe
        for S in $SIDES; do echo "$(place "$before" "$RTT") $(((before + RTT) / 2)) $turn $(cat "$DIR/$S/turn")" >>"$DIR/$S/lines"; done
    done
    for S in $SIDES; do resume; end "$traffic" "$size" || return 1; pause; done
    for S in $SIDES; do
        awk -v OFS='\t' -v x="${names[S]}" -v s="$size" -v m="$mode" -v t="$traffic" -v idle="${IDLE[S]}" -v end="$(cat "$DIR/$S/end")" '
        BEGIN { split(end, e, " ") }
        { pps = $4; us = ($9 - $5) * 1e6; w = $11 - $7 > $12 - $8 ? $11 - $7 : $12 - $8
          print x, s, m, t, $1, $2, $3, pps, sprintf("%.3f", pps * s * 8 / 1e9), pps ? sprintf("%.1f", 1e9 / pps) : "-",
                e[1] == "-" ? "-" : sprintf("%.0f", 100 * e[1] * pps / e[2] / 1e6), e[1] == "-" ? "-" : sprintf("%.1f", e[1] * 1e3 / e[2]),
                sprintf("%.0f", ($10 - $6) / us / 10), idle, sprintf("%.1f", w / us / 10), NR == 1 ? e[3] : "-" }' "$DIR/$S/lines"
    done
}
group() {                               # MODE TRAFFIC MBUF SIZE...: fresh switches, fresh generators, some sizes
    local mode=$1 traffic=$2 mbuf=$3 size ok=1 warm=$WARM; shift 3
    for S in $SIDES; do
        start_side "$mode" "$mbuf" "$([ "$traffic" = flood ] && echo "$1" || echo -)" "$1" || { ok=0; break; }
    done
    [ $ok = 0 ] || for size; do measure "$mode" "$traffic" "$size" "$mbuf" "$warm" || { ok=0; break; }; warm=.4; done
    [ $ok = 1 ] || { FAILED=1; say "failed: $mode $traffic $*"; [ $KEEP = 1 ] && cp "$DIR/$S/gen.log" "$DIR/gen.failed.log"; }
    stop_all
}

echo -e 'switch\tsize\tmode\ttraffic\tcore\trtt\tturn\tpps\tgbps\tns\tgen%\tgns\tsw%\tidle%\twait%\tlost'
for mode in $MODES; do for tr in $TRAFFIC; do
    small=()
    for s in $SIZES; do
        if [ "$tr" = flood ]; then group "$mode" "$tr" $((s <= 2048 ? 2176 : (s + 319) / 64 * 64)) "$s"
        elif [ "$s" -le 2048 ] || { [[ $mode = *+mrg* && $mode != *+big* ]] && [ "$s" -le 49152 ]; }; then small+=("$s"); fi
    done
    [ "$tr" != flood ] && [ ${#small[@]} -gt 0 ] && group "$mode" "$tr" 2176 "${small[@]}"
    [ "$tr" != flood ] && for s in $SIZES; do
        if [ "$s" -le 2048 ]; then :
        elif [[ $mode != *+mrg* || $mode = *+big* ]]; then group "$mode" "$tr" $(((s + 319) / 64 * 64)) "$s"
        elif [ "$s" -gt 49152 ]; then group "$mode" "$tr" 2176 "$s"; fi
    done
done; done
