# From a root folder to the images of the slots, the bundle and the disk. No loop device and no mount is needed.

# Sizes in MiB; a slot holds its image with room for later versions.
esp_mib=64 boot_mib=64 root_mib=640 state_mib=64

# make_root_image ROOT IMG: squashfs with its hash tree behind it; sets root_hash and root_blocks.
make_root_image() {
  local root=$1 img=$2 size
  mksquashfs "$root" "$img" -comp zstd -Xcompression-level 9 -noappend -quiet -no-progress -e boot
  size=$(stat -c %s "$img")
  size=$(((size + 4095) / 4096 * 4096))
  truncate -s $size "$img"
  root_blocks=$((size / 4096))
  root_hash=$(veritysetup format "$img" "$img" --hash-offset=$size --data-blocks=$root_blocks | sed -n 's/^Root hash:[[:space:]]*//p')
  [ ${#root_hash} = 64 ] || { echo "no root hash" >&2; return 1; }
  [ "$(stat -c %s "$img")" -le $((root_mib * 1024 * 1024)) ] || { echo "the root is larger than its slot" >&2; return 1; }
}

make_boot_image() {
  local root=$1 img=$2
  truncate -s ${boot_mib}M "$img"
  mkfs.vfat -n BOOT "$img" >/dev/null
  printf 'set slot_args="gantry.roothash=%s gantry.datablocks=%s"\n' "$root_hash" "$root_blocks" >"$work/boot.cfg"
  mcopy -i "$img" "$(ls "$root"/boot/vmlinuz-*)" ::vmlinuz
  mcopy -i "$img" "$(ls "$root"/boot/initrd.img-*)" ::initrd
  mcopy -i "$img" "$work/boot.cfg" ::boot.cfg
}

# rauc makes the hash tree of a bundle by dm-verity's user-space tools: nothing of the kernel is needed.
make_bundle() {
  local bundle=$1
  mkdir "$work/bundle"
  ln "$work/root.img" "$work/bundle/root.img"
  ln "$work/boot.img" "$work/bundle/boot.img"
  sed "s/@VERSION@/$version/" "$here/rauc/manifest.raucm" >"$work/bundle/manifest.raucm"
  rm -f "$bundle"
  rauc --cert "$keys/update.pem" --key "$keys/update.key" --keyring "$keys/ca.pem" bundle "$work/bundle" "$bundle"
}

# Everything is written at the offsets of the partitions; both slots hold this version.
make_disk() {
  local img=$1 total
  make_esp "$work/esp.img"
  truncate -s ${state_mib}M "$work/state.img"
  mkfs.ext4 -q -L state "$work/state.img"
  total=$((1 + esp_mib + 2 * boot_mib + 2 * root_mib + state_mib + data_mib + 1))
  rm -f "$img"
  truncate -s ${total}M "$img"
  sed -e "s/@ESP@/$esp_mib/" -e "s/@BOOT@/$boot_mib/" -e "s/@ROOT@/$root_mib/" -e "s/@STATE@/$state_mib/" \
    -e "s/@DATA@/$data_mib/" "$here/disk/layout.sfdisk" | sfdisk -q "$img"
  local at=1 part size
  while read -r part size; do
    dd if="$work/$part.img" of="$img" bs=1M seek=$at conv=notrunc,sparse status=none
    at=$((at + size))
  done <<TEXT
esp $esp_mib
boot $boot_mib
boot $boot_mib
root $root_mib
root $root_mib
state $state_mib
TEXT
}

make_esp() {
  local img=$1
  printf 'set root=$cmdpath\nregexp --set=1:device "^\\(([^)]*)\\)" "$cmdpath"\nset root=$device\nset prefix=($device)/grub\nnormal\n' >"$work/early.cfg"
  grub-mkimage -O x86_64-efi -p /grub -c "$work/early.cfg" -o "$work/bootx64.efi" \
    part_gpt fat normal linux configfile loadenv regexp test echo reboot sleep serial terminal search minicmd true efi_gop all_video
  truncate -s ${esp_mib}M "$img"
  mkfs.vfat -n ESP "$img" >/dev/null
  mmd -i "$img" ::EFI ::EFI/BOOT ::grub
  mcopy -i "$img" "$work/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
  mcopy -i "$img" "$here/boot/grub.cfg" ::grub/grub.cfg
  grub-editenv "$work/grubenv" create
  grub-editenv "$work/grubenv" set ORDER="A B" A_OK=1 A_TRY=0 B_OK=1 B_TRY=0
  mcopy -i "$img" "$work/grubenv" ::grub/grubenv
}
