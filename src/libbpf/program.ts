// SPDX-License-Identifier: Apache-2.0
// BpfProgram and BpfLink over the addon.

import { addon, type NativeLink, type NativeProgram } from "./native.ts";
import type { BpfLink, BpfProgram, CgroupAttachType, TcDirection, TestRunResult } from "./types.ts";

class KernelLink implements BpfLink {
  readonly #handle: NativeLink;
  readonly id: number;
  readonly fd: number;

  constructor(handle: NativeLink) {
    const info = handle.info();
    this.#handle = handle;
    this.id = info.id;
    this.fd = info.fd;
  }

  update(program: BpfProgram): void {
    if (!(program instanceof KernelProgram)) throw new TypeError(`program ${program.name} is not a kernel program`);
    this.#handle.update(program.handle);
  }

  pin(path: string): void {
    this.#handle.pin(path);
  }

  detach(): void {
    this.#handle.detach();
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}

export class KernelProgram implements BpfProgram {
  readonly handle: NativeProgram;
  readonly name: string;
  readonly id: number;
  readonly fd: number;

  constructor(handle: NativeProgram) {
    const info = handle.info();
    this.handle = handle;
    this.name = info.name;
    this.id = info.id;
    this.fd = info.fd;
  }

  testRun(input: { data?: Uint8Array; ctx?: Uint8Array; repeat?: number; dataOutSize?: number }): TestRunResult {
    return this.handle.testRun(input.data, input.ctx, input.repeat ?? 1, input.dataOutSize);
  }

  attachTcx(ifindex: number, direction: TcDirection, first: boolean): BpfLink {
    return new KernelLink(this.handle.attachTcx(ifindex, direction, first));
  }

  attachTc(ifindex: number, direction: TcDirection, priority: number): void {
    this.handle.attachTc(ifindex, direction, priority);
  }

  attachXdp(ifindex: number): BpfLink {
    return new KernelLink(this.handle.attachXdp(ifindex));
  }

  attachCgroup(cgroupPath: string, type: CgroupAttachType): BpfLink {
    return new KernelLink(this.handle.attachCgroup(cgroupPath, type));
  }

  iterate(netnsPath?: string, destroy = false): Promise<Uint8Array> {
    return this.handle.iterate(netnsPath, destroy);
  }

  pin(path: string): void {
    this.handle.pin(path);
  }

  [Symbol.dispose](): void {
    this.handle.close();
  }
}

/** Opens a program by its pin in a bpffs. Throws BpfError: ENOENT, EINVAL when it is no program. */
export function openPinnedProgram(path: string): BpfProgram {
  return new KernelProgram(addon().openPinnedProgram(path));
}

/** Opens a link by its pin in a bpffs. Throws BpfError: ENOENT, EINVAL when it is no link. */
export function openPinnedLink(path: string): BpfLink {
  return new KernelLink(addon().openPinnedLink(path));
}
