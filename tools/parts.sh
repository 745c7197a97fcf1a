#!/bin/sh
# Unpacks Debian's packages of the monitoring daemons into .parts, for the demo and the end-to-end tests; of the engines
# that the receiver may stand on, feed or stand behind; and of what the benches compare it with.
#
# Nothing is installed: an installed package would enable and start its daemon on this machine, on the very ports a
# running Prometheus may have. Only apt's own, signature-checked packages are taken. Needs `apt-get update` once before.
set -eu
cd "$(dirname "$0")/.."
monitoring="prometheus prometheus-alertmanager prometheus-blackbox-exporter"
engines="mosquitto bind9 bird2 postgresql-15 haproxy"
benches="nginx wrk"
# Of these programs' libraries, those that no package of the Makefile and no Python brings.
libraries="libdlt2 libluajit-5.1-2 libwrap0 libpq5 libxml2 libicu72 libssh-gcrypt-4 bind9-libs libuv1 libmaxminddb0
    liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libfstrm0 libprotobuf-c1 liblmdb0 libjson-c5 libjemalloc2 libnghttp2-14"
packages="$monitoring $engines $benches $libraries"
programs="$monitoring promtool amtool mosquitto named bird birdc postgres initdb haproxy $benches"

complete() {
    for program in $programs; do
        [ -x "$1/usr/bin/$program" ] || [ -x "$1/usr/sbin/$program" ] ||
            [ -x "$1/usr/lib/postgresql/15/bin/$program" ] || return 1
    done
    for library in libdlt libluajit-5.1 libwrap libpq libicuuc libxml2 libssh-gcrypt libuv libmaxminddb libfstrm \
        libprotobuf-c liblmdb libjson-c libjemalloc libnghttp2 liblua5.3 libopentracing libopentracing-c-wrapper; do
        set -- "$1" "$1"/usr/lib/*/"$library".so.*
        [ -e "$2" ] || return 1
    done
}

if complete .parts; then
    echo ".parts is complete: $programs"
    exit
fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || {
        echo "there is no $tool here: put $programs into PATH by other means" >&2
        exit 1
    }
done

# apt downloads as its own user where that user can write, and warns where it cannot; so the folder is that user's.
download=$(mktemp -d "${TMPDIR:-/tmp}/wgfleet-parts.XXXXXX")
trap 'rm -rf "$download" .parts.new' EXIT
trap 'exit 1' HUP INT TERM
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$download"
fi
echo "downloading $packages with apt-get; nothing is installed"
# shellcheck disable=SC2086  # Words, meant as words.
(cd "$download" && apt-get -qq download $packages) || {
    echo "apt-get could not download them: run \`apt-get update\` first; they are in Debian's main section" >&2
    exit 1
}

# Unpacked beside and moved at the end: an interrupted run leaves nothing half done.
rm -rf .parts.new
mkdir .parts.new
for package in "$download"/*.deb; do
    dpkg-deb -x "$package" .parts.new
done
complete .parts.new || {
    echo "the packages do not hold all of: $programs" >&2
    exit 1
}
rm -rf .parts
mv .parts.new .parts
echo ".parts has $programs"
