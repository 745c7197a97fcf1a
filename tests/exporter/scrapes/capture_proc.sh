#!/bin/bash
# Makes proc/ again, beside this script: what /proc says of this machine's load, in a network namespace that has two
# default routes of each family, forwards, tracks two connections, and dropped packets for a socket that nobody read.
# Needs root, ip, nft and python3. Afterwards the figures in test_proc.py are those of the files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
    exec unshare --net "$here/capture_proc.sh" inside
fi

ip link add eth0 type veth peer name far0
ip link add eth1 type veth peer name far1
for device in lo eth0 far0 eth1 far1; do ip link set "$device" up; done
ip address add 192.0.2.11/24 dev eth0
ip address add 198.51.100.11/24 dev eth1
ip address add 2001:db8:0::11/64 dev eth0 nodad
ip address add 2001:db8:1::11/64 dev eth1 nodad
ip route add default via 198.51.100.1 dev eth1 metric 200
ip route add default via 192.0.2.1 dev eth0 metric 100
ip -6 route add default via 2001:db8:1::1 dev eth1 metric 200
ip -6 route add default via 2001:db8:0::1 dev eth0 metric 100
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
nft -f - <<'RULES'
table inet capture { chain output { type filter hook output priority filter; ct state new accept; }; }
RULES
python3 - <<'PYTHON'
import socket

for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family, socket.SOCK_DGRAM) as unread, socket.socket(family, socket.SOCK_DGRAM) as sender:
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        unread.bind((address, 0))
        for _ in range(40 if family == socket.AF_INET else 20):
            sender.sendto(bytes(200), unread.getsockname())
PYTHON

for file in stat meminfo net/{dev,route,ipv6_route,snmp,snmp6,softnet_stat} \
    sys/net/netfilter/nf_conntrack_{count,max} sys/net/ipv4/ip_forward sys/net/ipv6/conf/all/forwarding; do
    install -D -m 644 /dev/null "$here/proc/$file"
    # Of `stat` the line of interrupts is as long as all the rest, and nobody reads it.
    sed '/^intr /d' "/proc/$file" >"$here/proc/$file"
done
