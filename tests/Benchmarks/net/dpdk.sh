#!/usr/bin/env bash
# dpdk.sh P0 P1 - the baseline: DPDK testpmd joining two vhost-user
# server sockets (net_vhost, io forwarding, one worker, busy polling).
#
# Environment:
#   CPU=n        CPU to run on     (default: first CPU this process is allowed on)
#   MEM=auto     auto|huge|nohuge  (auto: 2 MB pages when enough are free)
#   MEM_MB=128   memory for mbufs
#   MBUFS=8192   mbuf count            MBUF_SIZE=2176  bytes per mbuf (2048 + headroom)
#   BURST=32     packets per burst      QUEUES=1       queue pairs of each port
#   VHOST_ARGS=  extra net_vhost devargs for both ports, e.g. ",iommu-support=0"
#   STATS=0      1: --record-core-cycles --record-burst-stats, printed at exit
# Needs: Debian package dpdk; coreutils, util-linux (taskset).
set -eu
[ $# -eq 2 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
P0=$1 P1=$2
allowed=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
CPU=${CPU:-${allowed%%[,-]*}}
MEM=${MEM:-auto} MEM_MB=${MEM_MB:-128} MBUFS=${MBUFS:-8192} MBUF_SIZE=${MBUF_SIZE:-2176}
BURST=${BURST:-32} QUEUES=${QUEUES:-1} VHOST_ARGS=${VHOST_ARGS:-} STATS=${STATS:-0}
if [ "$MEM" = auto ]; then
    free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0)
    if [ "$free" -ge $((MEM_MB / 2)) ]; then MEM=huge; else MEM=nohuge; fi
fi
case $MEM in
    huge)   mem=(--in-memory -m "$MEM_MB") ;;          # anonymous memfd, no hugetlbfs mount
    nohuge) mem=(--no-huge --no-shconf -m "$MEM_MB") ;;
    *) echo "MEM=$MEM?" >&2; exit 2 ;;
esac
stats=(); [ "$STATS" = 1 ] && stats=(--record-core-cycles --record-burst-stats)
# Main lcore 0 only sleeps (--stats-period), worker lcore 1 polls; both on $CPU.
exec taskset -c "$CPU" dpdk-testpmd --lcores="0@$CPU,1@$CPU" --no-pci --no-telemetry \
    "${mem[@]}" --log-level=lib.vhost.config:warning \
    --vdev "net_vhost0,iface=$P0,queues=$QUEUES$VHOST_ARGS" \
    --vdev "net_vhost1,iface=$P1,queues=$QUEUES$VHOST_ARGS" \
    -- --rxq="$QUEUES" --txq="$QUEUES" --total-num-mbufs="$MBUFS" --mbuf-size="$MBUF_SIZE" --burst="$BURST" \
    --forward-mode=io --disable-link-check --stats-period=1000000 "${stats[@]}"
