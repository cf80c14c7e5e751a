#!/bin/bash
# Makes the keys of an appliance: a CA that boxes trust, one certificate to sign bundles and one to sign
# provisioning files. Keep ca.key offline; the two others belong to whoever signs.
set -euo pipefail
[ $# = 1 ] || { echo "usage: firmware/keys.sh DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
umask 077
openssl req -x509 -newkey rsa:3072 -nodes -days 7300 -subj "/O=Gantry appliance/CN=Appliance CA" \
  -keyout ca.key -out ca.pem 2>/dev/null
# What signs provisioning files does not pass for an update: boxes ask for code signing (and rauc, here, for e-mail).
declare -A purpose=([update]=codeSigning,emailProtection [provision]=emailProtection)
for use in update provision; do
  openssl req -newkey rsa:3072 -nodes -subj "/O=Gantry appliance/CN=$use" -keyout $use.key -out $use.csr 2>/dev/null
  openssl x509 -req -in $use.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out $use.pem 2>/dev/null \
    -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' ${purpose[$use]})
  rm $use.csr
done
chmod 644 ./*.pem
