// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type Frames, LengthFrames, LineFrames } from "../../../../src/source/kubernetes/frames.ts";

function texts(frames: Frames, chunks: readonly string[]): readonly (readonly string[])[] {
  return chunks.map((chunk) => frames.push(Buffer.from(chunk, "latin1")).map((frame) => frame.toString("latin1")));
}

test("frames with their length before them come out whole, wherever the stream is cut", () => {
  const stream = "\0\0\0\x02ab\0\0\0\x01c\0\0\0\0\0\0\0\x03def";
  expect(texts(new LengthFrames(), [stream])).toEqual([["ab", "c", "", "def"]]);
  for (let cut = 1; cut < stream.length; cut++) {
    const found = texts(new LengthFrames(), [stream.slice(0, cut), stream.slice(cut)]);
    expect(found.flat()).toEqual(["ab", "c", "", "def"]);
  }
  expect(texts(new LengthFrames(), [...stream]).flat()).toEqual(["ab", "c", "", "def"]);
});

test("what is cut off at the end is no frame", () => {
  expect(texts(new LengthFrames(), ["\0\0\0\x02ab\0\0\0\x02a"])).toEqual([["ab"]]);
  expect(texts(new LineFrames(), ["ab\na"])).toEqual([["ab"]]);
});

test("a length that no object has is no protobuf stream", () => {
  expect(() => new LengthFrames().push(Buffer.from('{"type":"ADDED"}'))).toThrow(
    "a frame of 2065855609 bytes: this is no watch in protobuf",
  );
});

test("lines come out whole, wherever the stream is cut, empty ones not at all", () => {
  const stream = "ab\n\nc\ndef\n";
  for (let cut = 0; cut <= stream.length; cut++) {
    const found = texts(new LineFrames(), [stream.slice(0, cut), stream.slice(cut)]);
    expect(found.flat()).toEqual(["ab", "c", "def"]);
  }
});
