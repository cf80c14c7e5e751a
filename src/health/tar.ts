/** A file of an archive. */
export interface TarEntry {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  readonly content: Buffer;
}

const blockBytes = 512;

/** Packs small files as POSIX ustar (IEEE Std 1003.1, pax): enough for text that `tar` and every desktop opens. */
export function packTar(entries: readonly TarEntry[], modifiedAt: number): Buffer {
  const blocks = entries.flatMap(({ name, content }) => {
    const rest = (blockBytes - (content.length % blockBytes)) % blockBytes;
    return [header(name, content.length, modifiedAt), content, Buffer.alloc(rest)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function header(name: string, bytes: number, modifiedAt: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  block.write(name, 0, 100, 'ascii');
  block.write(octal(0o600, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(bytes, 11), 124);
  block.write(octal(Math.floor(modifiedAt / 1000), 11), 136);
  // The checksum counts itself as spaces.
  block.fill(' ', 148, 156);
  block.write('0', 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}
