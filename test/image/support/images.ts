// SPDX-License-Identifier: Apache-2.0
// The images that deploy/image.sh has built.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Image {
  readonly arch: string;
  /** A directory with its files. */
  readonly root: string;
  readonly environment: readonly string[];
  readonly entrypoint: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

interface Inspected {
  readonly OCIv1: {
    readonly architecture: string;
    readonly config: {
      readonly Env: readonly string[];
      readonly Entrypoint: readonly string[];
      readonly Labels: Readonly<Record<string, string>>;
    };
  };
}

export type Architecture = "amd64" | "arm64";

/** Of this machine, as Debian and OCI call it. */
export function machine(): Architecture {
  const arch = execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
  if (arch === "amd64" || arch === "arm64") return arch;
  throw new Error(`there is no image for ${arch}`);
}

/** Its lines are `ARCH NAME OPTIONS...` */
const BUILT = new URL("../../../build/images", import.meta.url);

interface Built {
  readonly name: string;
  /** Runs buildah where it finds the image; returns what it prints. */
  readonly buildah: (...args: readonly string[]) => string;
}

/** What deploy/image.sh has built for an architecture. */
export function builtImage(arch: Architecture): Built {
  const lines = readFileSync(BUILT, "utf8").trim().split("\n");
  const [, name, ...options] = lines.map((line) => line.split(" ")).find(([first]) => first === arch) ?? [];
  if (name === undefined) throw new Error(`deploy/image.sh has built nothing for ${arch}`);
  const buildah = (...args: readonly string[]) =>
    execFileSync("buildah", [...options, ...args], { encoding: "utf8", maxBuffer: 1 << 26 }).trim();
  return { name, buildah };
}

/** The image of an architecture, unpacked into a directory below this one. */
export function unpackImage(arch: Architecture, directory: string): Image {
  const { name, buildah } = builtImage(arch);
  const { OCIv1 } = JSON.parse(buildah("inspect", "--type", "image", name)) as Inspected;
  const root = join(directory, `image-${arch}`);
  const container = buildah("from", "--pull-never", "--arch", arch, name);
  try {
    execFileSync("cp", ["-a", buildah("mount", container), root]);
  } finally {
    buildah("umount", container);
    buildah("rm", container);
  }
  const { Env, Entrypoint, Labels } = OCIv1.config;
  return { arch: OCIv1.architecture, root, environment: Env, entrypoint: Entrypoint, labels: Labels };
}
