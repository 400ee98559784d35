#!/usr/bin/env bash
# Installs what a build needs from Debian 12's packages: nothing when all of it is there. As root or with sudo.
set -euo pipefail
packages=(g++ cmake ninja-build ccache libcaf-dev libdnnl-dev nlohmann-json3-dev doctest-dev
  libcli11-dev libspdlog-dev libfmt-dev zlib1g-dev libzip-dev libssl-dev libboost-dev dataset-fashion-mnist)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "run as root, or install sudo: needed are ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
