// SPDX-License-Identifier: Apache-2.0
// The image for the other architecture, cross-built, under QEMU's emulation of single processes: it starts, says what it is, and
// loads its addon. That emulation has no bpf(), so what it does with a kernel is not shown here.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Architecture, type Image, machine, unpackImage } from "./support/images.ts";

interface Foreign {
  readonly arch: Architecture;
  readonly emulator: string;
  /** As readelf calls it. */
  readonly elf: string;
}

const FOREIGN_TO: Readonly<Record<Architecture, Foreign>> = {
  amd64: { arch: "arm64", emulator: "qemu-aarch64-static", elf: "AArch64" },
  arm64: { arch: "amd64", emulator: "qemu-x86_64-static", elf: "X86-64" },
};
const FOREIGN = FOREIGN_TO[machine()];

const directory = mkdtempSync(join(tmpdir(), "pt-image-"));
let image: Image;

beforeAll(() => {
  image = unpackImage(FOREIGN.arch, directory);
  copyFileSync(`/usr/bin/${FOREIGN.emulator}`, join(image.root, "emulator"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs Portolan of the image, emulated, with the image as its root directory. */
function portolan(...args: readonly string[]): string {
  const argv = ["/emulator", "/usr/local/bin/node", "/portolan/dist/portolan.js", ...args];
  return execFileSync("chroot", [image.root, ...argv], {
    encoding: "utf8",
    stdio: "pipe",
    env: { PATH: process.env.PATH },
  });
}

test("all that runs in it is of its architecture", () => {
  expect(image.arch).toBe(FOREIGN.arch);
  const files = [
    "usr/local/bin/node",
    "portolan/build/Release/portolan.node",
    "usr/sbin/xtables-nft-multi",
    "bin/busybox",
  ];
  for (const file of files) {
    const header = execFileSync("readelf", ["-h", join(image.root, file)], { encoding: "utf8" });
    expect(header, file).toContain(FOREIGN.elf);
  }
});

test("Portolan starts, with its addon and libbpf", () => {
  expect(portolan("version")).toMatch(/^portolan \d+\.\d+\.\d+\nABI v\d+\nlibbpf 1\.\d+\n$/);
  expect(portolan("agent", "--help")).toContain("Usage: portolan agent [options]");
  process.stdout.write(`image ${image.arch}: ${portolan("version").split("\n").join(", ")}under ${FOREIGN.emulator}\n`);
});

test("the BPF objects are those of this machine's image: BPF has one byte order here", () => {
  const own = unpackImage(machine(), directory);
  const objects = ({ root }: Image) =>
    execFileSync("sh", ["-c", "sha256sum *.o", root], { encoding: "utf8", cwd: `${root}/portolan/build/bpf` });
  expect(objects(image)).toBe(objects(own));
});
