// SPDX-License-Identifier: Apache-2.0
// The bytes of a watch -> its events, one frame each: 4 bytes of length (big endian) before each in protobuf
// (apimachinery pkg/util/framer), a line each in JSON. Pure.

/** No object that etcd takes is larger by far (1.5 MiB); more is not the protocol. */
const MAX_FRAME_BYTES = 64 << 20;

export interface Frames {
  /** The frames that these bytes complete; they may share memory with chunk. Throws Error on what cannot be a frame. */
  push(chunk: Buffer): readonly Buffer[];
}

export class LengthFrames implements Frames {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): readonly Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes: this is no watch in protobuf`);
      if (bytes.length - at - 4 < length) break;
      frames.push(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

export class LineFrames implements Frames {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): readonly Buffer[] {
    const frames: Buffer[] = [];
    let at = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      const line = chunk.subarray(at, end);
      frames.push(this.#rest.length === 0 ? line : Buffer.concat([this.#rest, line]));
      this.#rest = Buffer.alloc(0);
      at = end + 1;
    }
    const rest = chunk.subarray(at);
    if (rest.length > 0) this.#rest = this.#rest.length === 0 ? rest : Buffer.concat([this.#rest, rest]);
    if (this.#rest.length > MAX_FRAME_BYTES) throw new Error("a line without an end: this is no watch in JSON");
    return frames.filter((frame) => frame.length > 0);
  }
}
