#!/usr/bin/env bash
# Starts Ceph's RADOS gateway from Debian's packages (one monitor, one OSD in memory), and
# runs a command with POD_UTILS_RGW set to its address; everything ends with the command.
#
#   POD_UTILS_STORES=rgw tests/campaign/stores/rgw.sh cargo test --workspace --test stores
#
# The packages are installed when they are not there: some 500 MB.
set -euo pipefail
[ "$#" -gt 0 ] || { sed -n '2,8s/^# \?//p' "$0"; exit 2; }

SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
if ! command -v radosgw >/dev/null || ! command -v ceph-osd >/dev/null || ! command -v ceph-mon >/dev/null; then
  $SUDO apt-get update -qq
  # In that runlevel the packages do not start servers of their own.
  $SUDO env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw ceph-common >/dev/null
fi

dir=$(mktemp -d)
pids=()
# Backwards: the gateway first. One that has ended already is no failure.
stop() {
  for ((at = ${#pids[@]} - 1; at >= 0; at--)); do kill "${pids[at]}" 2>/dev/null || true; done
  sleep 1
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$dir"
}
trap stop EXIT

# Below the ports that the kernel gives to clients, one of which could take it before the server does.
free_port() {
  shuf -i 10000-32000 -n 100 | python3 -c '
import socket, sys
for port in map(int, sys.stdin):
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}
port=$(free_port); gateway=$(free_port); fsid=$(cat /proc/sys/kernel/random/uuid)
mkdir "$dir/mon" "$dir/osd" "$dir/rgw"
cat >"$dir/ceph.conf" <<C
[global]
fsid = $fsid
mon host = 127.0.0.1:$port
auth cluster required = none
auth service required = none
auth client required = none
run dir = $dir
admin socket = $dir/\$name.asok
log file = $dir/\$name.log
pid file = $dir/\$name.pid
keyring = /dev/null
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon allow pool size one = true
mon data avail crit = 1
mon max pg per osd = 1000
[mon.a]
mon data = $dir/mon
[osd.0]
osd data = $dir/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$gateway
rgw data = $dir/rgw
C
export CEPH_CONF=$dir/ceph.conf
monitor() { timeout 60 ceph -c "$CEPH_CONF" "$@"; }

monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$port]" "$dir/monmap" >/dev/null
ceph-mon -c "$CEPH_CONF" -i a --mkfs --monmap "$dir/monmap"
ceph-mon -c "$CEPH_CONF" -i a -f >"$dir/mon.out" 2>&1 & pids+=($!)
osd=$(cat /proc/sys/kernel/random/uuid)
monitor osd new "$osd" >/dev/null
ceph-osd -c "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$osd" >"$dir/mkfs.out" 2>&1
ceph-osd -c "$CEPH_CONF" -i 0 -f >"$dir/osd.out" 2>&1 & pids+=($!)
for _ in $(seq 120); do monitor osd stat 2>/dev/null | grep -q '1 up' && break; sleep 0.5; done
monitor osd stat | grep -q '1 up' || { tail -n 20 "$dir/osd.out"; exit 1; }
radosgw -c "$CEPH_CONF" -n client.rgw -f >"$dir/rgw.out" 2>&1 & pids+=($!)
for _ in $(seq 600); do curl -s -o /dev/null "http://127.0.0.1:$gateway/" && break; sleep 0.2; done
timeout 120 radosgw-admin -c "$CEPH_CONF" -n client.rgw user create --uid ci --display-name ci \
  --access-key AKIAPODUTILSTEST --secret the-secret-key-of-the-test-server >/dev/null

POD_UTILS_RGW=http://127.0.0.1:$gateway "$@"
