#!/bin/sh
# Brings Debian's chromium, in which the tests look at the receiver's page. `make test` calls it; `make demo` does not.
#
# Installed rather than unpacked as the daemons are: it starts nothing by itself, and some eighty libraries, which apt
# finds and a folder of ours would have to, come with it. A font too: it recommends many and needs none, but a
# page without one has no text. And libatomic, which the driver between Python and the browser needs.
set -eu
if command -v chromium >/dev/null && fc-list 2>/dev/null | grep -q . && ldconfig -p | grep -q libatomic.so.1; then
    echo "chromium is here: $(command -v chromium)"
    exit
fi
command -v apt-get >/dev/null || {
    echo "there is no apt-get here: put chromium and a font into place by other means" >&2
    exit 1
}
[ "$(id -u)" = 0 ] && sudo= || sudo=sudo
# Package lists first: those of an old image name versions that are gone. Another apt may be at work: wait for it.
$sudo apt-get -qq -o DPkg::Lock::Timeout=300 update
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install \
    --no-install-recommends chromium fontconfig fonts-dejavu-core libatomic1 >/dev/null
echo "chromium is here: $(command -v chromium)"
