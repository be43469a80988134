// SPDX-License-Identifier: Apache-2.0
// A tar archive as POSIX.1-1988 (ustar) has it, of plain files: all that an archive of ours needs, in pieces for a
// pipeline, whose errors are its own.

const BLOCK = 512;
const NAME_ROOM = 100;
/** Of an octal field, 8 GiB. */
const SIZE_LIMIT = 8 ** 11;

/** One file; only its owner may read it. Throws RangeError for a name of more than 100 bytes and a file of 8 GiB. */
export function* tarFile(name: string, data: Uint8Array, modified: Date): IterableIterator<Uint8Array> {
  yield header(name, data.length, modified);
  yield data;
  yield Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK);
}

/** What an archive ends with. */
export function tarEnd(): Uint8Array {
  return Buffer.alloc(2 * BLOCK);
}

function header(name: string, size: number, modified: Date): Uint8Array {
  if (Buffer.byteLength(name) > NAME_ROOM) throw new RangeError(`${name}: too long a name for a tar archive`);
  if (size >= SIZE_LIMIT) throw new RangeError(`${name}: ${size} bytes are too many for a tar archive`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at);
  block.write(name, 0);
  octal(0o600, 100, 8); // mode
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(Math.floor(modified.getTime() / 1000), 136, 12);
  block.fill(" ", 148, 156); // for the sum, the checksum counts as blanks
  block.write("0", 156); // a plain file
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\x00 `, 148);
  return block;
}
