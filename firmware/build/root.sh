# The root file system of one version.

# make_root BASE ROOT: base + overlay + gantry, then without what a box does not need.
make_root() {
  local base=$1 root=$2 overlay
  cp -a "$base" "$root"
  chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >"$work/root.packages"
  chroot "$root" groupadd --system --gid 950 gantry
  chroot "$root" useradd --system --uid 950 --gid 950 --home-dir /var/lib/gantry --shell /usr/sbin/nologin gantry
  cp -a --no-preserve=ownership "$here/overlay/." "$root/"
  install -m 644 "$here"/../deploy/debian/units/gantry* "$root/lib/systemd/system/"
  mkdir -p "$root/etc/systemd/timesyncd.conf.d" "$root/etc/systemd/network" "$root/etc/chrony/sources.d"
  put_gantry "$root"
  for overlay in "${overlays[@]}"; do cp -a --no-preserve=ownership "$overlay/." "$root/"; done
  install -m 644 -D "$here/rauc/system.conf" "$root/etc/rauc/system.conf"
  cp "$keys/ca.pem" "$root/etc/rauc/keyring.pem"
  cp "$keys/provision.pem" "$root/usr/lib/gantry-os/provision.pem"
  jq -n --arg version "$version" --argjson development "$development" \
    '{version: $version, developmentKeys: $development}' >"$root/usr/lib/gantry-os/image.json"
  enable_units "$root"
  slim "$root"
  mkdir -p "$root/state" "$root/data" "$root/esp"
  : >"$root/etc/machine-id"
  echo gantry >"$root/etc/hostname"
  ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  # The clock never starts before this (systemd reads its modification time).
  touch "$root/usr/lib/clock-epoch"
}

put_gantry() {
  local root=$1
  if [ -d "$gantry" ]; then
    cp -a --no-preserve=ownership "$gantry" "$root/opt/gantry"
    ln -sf /opt/gantry/gantry "$root/usr/bin/gantry"
  else
    install -m 755 "$gantry" "$root/usr/bin/gantry"
  fi
}

enable_units() {
  local root=$1
  chroot "$root" systemctl -q enable systemd-networkd systemd-resolved chrony \
    gantry-network gantry-data gantry gantry-helper.socket gantry-helper-revert gantry-gate gantry-console@tty1 gantry-console@ttyS0
  chroot "$root" systemctl -q mask getty@tty1 serial-getty@ttyS0 getty-static \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap \
    fstrim.timer systemd-networkd-wait-online systemd-firstboot emergency.service rescue.service
  chroot "$root" systemctl -q set-default multi-user.target
}

# Nobody reads manuals on the box, and it has no sound, camera or radio.
slim() {
  local root=$1 modules
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian} "$root"/var/cache/* "$root"/var/lib/apt/lists/*
  mkdir -p "$root/var/cache/apt/archives/partial"
  for modules in "$root"/lib/modules/*/kernel; do
    rm -rf "$modules"/sound "$modules"/drivers/{media,staging,isdn,infiniband,iio,bluetooth} \
      "$modules"/drivers/net/wireless "$modules"/net/{bluetooth,wireless,mac80211}
    chroot "$root" depmod -a "$(basename "$(dirname "$modules")")"
  done
}
