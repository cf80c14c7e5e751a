# The Debian root that all versions start from, kept in the cache until packages.txt or initramfs/ change.

# Runs a command in a root with the file systems that packages expect.
in_root() {
  local root=$1
  shift
  mount -t proc proc "$root/proc"
  mount --rbind --make-rslave /sys "$root/sys"
  mount --rbind --make-rslave /dev "$root/dev"
  local code=0
  DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@" >&2 || code=$?
  umount -l "$root/dev" "$root/sys" "$root/proc"
  return $code
}

# Prints the path of the base root; makes it where it is missing (about three minutes).
base_root() {
  local hash root
  hash=$(cat "$here/packages.txt" "$here"/build/base.sh "$here"/initramfs/* | sha256sum | cut -c1-12)
  root=$cache/base-$hash
  if [ ! -e "$root.done" ]; then
    rm -rf "$root"
    # Where no mirror is named, debootstrap knows one.
    # shellcheck disable=SC2086
    debootstrap --variant=minbase --include="$(grep -v '^#' "$here/packages.txt" | paste -sd,)" \
      bookworm "$root" $mirror >&2
    local from
    from=$(awk '$1 == "deb" {print $2; exit}' "$root/etc/apt/sources.list")
    cat >"$root/etc/apt/sources.list" <<TEXT
deb $from bookworm main
deb $from bookworm-updates main
deb ${from%/}-security bookworm-security main
TEXT
    install -m 755 "$here/initramfs/hook" "$root/etc/initramfs-tools/hooks/gantry"
    install -m 755 "$here/initramfs/verity" "$root/etc/initramfs-tools/scripts/local-top/verity"
    install -m 755 "$here/initramfs/state" "$root/etc/initramfs-tools/scripts/local-bottom/state"
    printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' >"$root/etc/initramfs-tools/conf.d/gantry"
    in_root "$root" apt-get -q update
    in_root "$root" apt-get -qy -o Dpkg::Use-Pty=0 dist-upgrade
    in_root "$root" apt-get -qy -o Dpkg::Use-Pty=0 autoremove --purge
    in_root "$root" sh -c 'ls /boot/vmlinuz-* | sort -V | head -n -1 | sed s,/boot/vmlinuz,linux-image, | xargs -r apt-get -qy purge'
    in_root "$root" update-initramfs -u -k all
    in_root "$root" apt-get clean
    touch "$root.done"
  fi
  echo "$root"
}
