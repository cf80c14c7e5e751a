#!/bin/bash
# Builds the appliance image of one version: a disk image to flash and a signed bundle to update with.
# Needs root, Debian 12 and the tools of README.md; everything it makes lies under --out and --cache.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
  cat <<'TEXT'
usage: firmware/build.sh --version V --gantry FILE|DIR --out DIR [options]
  --version V      version of the image, as shown on the console and compared by updates
  --gantry PATH    the single executable (dist/gantry-linux-x64), or a folder that is put at /opt/gantry and has
                   an executable "gantry" in it
  --out DIR        gets gantry-V.img, gantry-V.raucb, gantry-V.packages and SHA256SUMS
  --keys DIR       ca.pem, update.pem, update.key, provision.pem (see keys.sh); without it, development keys
                   are made in the cache, and the box says so on its console
  --overlay DIR    further files of the root, e.g. firmware of network cards; may be given several times
  --data-mib N     size of the data partition in the image, which grows at first boot (default 256)
  --mirror URL     of Debian, with URL-security beside it; default: the one debootstrap knows
  --cache DIR      default /var/tmp/gantry-firmware
  --no-disk        only the bundle
TEXT
  exit 2
}

version='' gantry='' out='' keys='' cache=/var/tmp/gantry-firmware data_mib=256 disk=yes mirror='' overlays=()
while [ $# -gt 0 ]; do
  case $1 in
    --version) version=$2; shift 2 ;;
    --gantry) gantry=$(realpath "$2"); shift 2 ;;
    --out) out=$(realpath -m "$2"); shift 2 ;;
    --keys) keys=$(realpath "$2"); shift 2 ;;
    --overlay) overlays+=("$(realpath "$2")"); shift 2 ;;
    --data-mib) data_mib=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --cache) cache=$(realpath -m "$2"); shift 2 ;;
    --no-disk) disk=no; shift ;;
    *) usage ;;
  esac
done
[[ -n $version && -n $gantry && -n $out ]] || usage
[[ $version =~ ^[0-9A-Za-z][0-9A-Za-z.+~-]{0,63}$ ]] || { echo "a version is up to 64 letters, digits and . + ~ -" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "needs root: debootstrap makes devices and owners" >&2; exit 2; }

. "$here/build/base.sh"
. "$here/build/root.sh"
. "$here/build/images.sh"

mkdir -p "$cache" "$out"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

development=false
if [ -z "$keys" ]; then
  keys=$cache/development-keys development=true
  [ -e "$keys/ca.pem" ] || "$here/keys.sh" "$keys"
fi

base=$(base_root)
make_root "$base" "$work/root"
make_root_image "$work/root" "$work/root.img"
make_boot_image "$work/root" "$work/boot.img"
cp "$work/root.packages" "$out/gantry-$version.packages"
make_bundle "$out/gantry-$version.raucb"
if [ "$disk" = yes ]; then make_disk "$out/gantry-$version.img"; fi
(cd "$out" && sha256sum -- gantry-* >SHA256SUMS)
ls -l "$out"
