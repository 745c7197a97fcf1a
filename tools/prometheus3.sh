#!/bin/sh
# Unpacks Prometheus 3 of a later Debian suite into .parts3, so that the rules are tested on both generations.
#
# Nothing is installed, and no source is added to this machine: apt is pointed at folders of its own, and at the mirror of
# the machine's own configuration. It checks the suite's signature as ever. Debian's binaries need an older C
# library than they are built beside, so one of a later suite runs here; that is tried before it is kept. A mirror that
# lags behind will do: its signature holds all the same, and the newest Prometheus of all is not what is wanted.
set -eu
cd "$(dirname "$0")/.."
suites="unstable testing stable"
programs="prometheus promtool"

complete() {
    for program in $programs; do
        "$1/usr/bin/$program" --version 2>&1 | grep -q ", version 3\." || return 1
    done
}

if complete .parts3; then
    echo ".parts3 is complete: $programs"
    exit
fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || {
        echo "there is no $tool here: put Prometheus 3's $programs into .parts3/usr/bin by other means" >&2
        exit 1
    }
done

# Where this machine itself takes its release from, and who may sign what comes from there.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016  # apt's own variable.
mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' "Release: $codename" 'Component: main' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || {
    echo "there is no $keyring here to check a Debian suite's signature by: install debian-archive-keyring" >&2
    exit 1
}
[ -n "$mirror" ] || {
    echo "apt has no source for $codename main, so there is no mirror to take a later suite from" >&2
    exit 1
}

# apt downloads as its own user where that user can write, and warns where it cannot; so the folder is that user's.
apt=$(mktemp -d "${TMPDIR:-/tmp}/wgfleet-parts3.XXXXXX")
trap 'rm -rf "$apt" .parts3.new' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/none"
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown -R _apt "$apt"
fi

apt_of() { # suite, then apt-get's own words
    echo "deb [signed-by=$keyring] $mirror $1 main" >"$apt/sources.list"
    shift
    apt-get -qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/none" \
        -o Dir::Etc::preferences=/dev/null -o "Dir::Etc::preferencesparts=$apt/none" \
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" \
        -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

fetched() { # suite: whether its Prometheus is of generation 3, runs here and is now in .parts3.new
    rm -rf .parts3.new "$apt"/*.deb
    apt_of "$1" update || return 1
    # Debian gives promtool a package of its own since 3.5.
    # shellcheck disable=SC2086  # Two words, meant as two.
    (cd "$apt" && apt_of "$1" download $programs) || return 1
    mkdir .parts3.new
    for package in "$apt"/*.deb; do
        dpkg-deb -x "$package" .parts3.new || return 1
    done
    complete .parts3.new
}

for suite in $suites; do
    echo "looking for Prometheus 3 in $suite of $mirror; nothing is installed"
    if fetched "$suite"; then
        rm -rf .parts3
        mv .parts3.new .parts3
        echo ".parts3 has $(.parts3/usr/bin/promtool --version 2>&1 | head -n 1)"
        exit
    fi
    echo "$suite has none that runs here" >&2
done
echo "no suite of $mirror has a Prometheus 3 that runs here" >&2
exit 1
