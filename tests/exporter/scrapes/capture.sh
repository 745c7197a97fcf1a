#!/bin/bash
# Makes wg0.dump again, beside this script: what `wg` says of a real interface, wg0, that has
# a peer seen lately (over IPv6, with a preshared key), one that fell silent, and one that was never seen.
# Needs root, wireguard-go, wg and three minutes. Afterwards NOW in pages.py is the newest handshake plus
# 60 s, names.txt has the new keys, and whole.prom is made anew (pages.py).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $$ != 1 ]; then # In namespaces of its own this script is process 1, and all that it started ends with it.
    exec unshare --net --mount --pid --fork --kill-child --mount-proc "$here/capture.sh"
fi

mount -t tmpfs tmpfs /run
mkdir /run/wireguard
mount -t sysfs sys /sys
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT
umask 077
for who in server recent silent never; do
    wg genkey >"$keys/$who"
    wg pubkey <"$keys/$who" >"$keys/$who.pub"
done
wg genpsk >"$keys/psk"

ip netns add far
ip link add near type veth peer name far netns far
ip addr add 192.0.2.1/24 dev near
ip addr add 2001:db8::1/64 dev near nodad
ip link set near up
ip -n far addr add 192.0.2.2/24 dev far
ip -n far addr add 2001:db8::2/64 dev far nodad
ip -n far link set far up

wireguard-go -f wg0 >/dev/null 2>&1 &
ip netns exec far wireguard-go -f recent >/dev/null 2>&1 &
ip netns exec far wireguard-go -f silent >/dev/null 2>&1 &
sleep 1

wg set wg0 private-key "$keys/server" listen-port 51820 fwmark 0xca6c \
    peer "$(cat "$keys/recent.pub")" preshared-key "$keys/psk" persistent-keepalive 25 \
    allowed-ips 10.90.0.2/32,fd90::2/128 \
    peer "$(cat "$keys/silent.pub")" allowed-ips 10.90.0.3/32 \
    peer "$(cat "$keys/never.pub")"
ip addr add 10.90.0.1/24 dev wg0
ip link set wg0 mtu 1420 up
ip netns exec far wg set recent private-key "$keys/recent" peer "$(cat "$keys/server.pub")" \
    preshared-key "$keys/psk" endpoint '[2001:db8::1]:51820' allowed-ips 10.90.0.1/32
ip netns exec far wg set silent private-key "$keys/silent" peer "$(cat "$keys/server.pub")" \
    endpoint 192.0.2.1:51820 allowed-ips 10.90.0.1/32

# Sends datagrams to the server's discard port; each is answered with "port unreachable".
speak() { # interface, its address, number of datagrams
    ip -n far addr add "$2" dev "$1"
    ip -n far link set "$1" up
    ip -n far route add 10.90.0.1 dev "$1"
    for _ in $(seq "$3"); do
        ip netns exec far bash -c 'echo hello >/dev/udp/10.90.0.1/9'
        sleep 0.2
    done
}
speak silent 10.90.0.3/32 3
ip -n far link set silent down # Takes its route along, so that the next peer can speak to the same address.
sleep 150
speak recent 10.90.0.2/32 20

umask 022
wg show wg0 dump >"$here/wg0.dump"
