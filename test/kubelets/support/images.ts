// SPDX-License-Identifier: Apache-2.0
// Archives of images for the nodes' containerd: one of the tests' own with static programs in it, made by hand (OCI image layout
// 1.0), and Portolan's, as deploy/image.sh has built it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtImage, machine } from "../../image/support/images.ts";
import { compileProgram } from "../../support/compile.ts";

/** Has /pause, which it starts with, and /rush. */
export const TEST_IMAGE = "localhost/portolan-test:1";
const STATIC_PROGRAMS = ["pause", "rush"];

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Returns the path of the archive. */
export function makeTestImage(directory: string): string {
  const files = join(directory, "test-files");
  const layout = join(directory, "test-image");
  mkdirSync(files);
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  for (const name of STATIC_PROGRAMS) compileProgram(name, files, ["-static"]);
  const layer = join(directory, "layer.tar");
  execFileSync("tar", ["-C", files, "-cf", layer, ...STATIC_PROGRAMS]);
  const blob = (mediaType: string, content: Buffer): Descriptor => {
    const hash = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(layout, "blobs/sha256", hash), content);
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  const json = (kind: string, content: object) =>
    blob(`application/vnd.oci.image.${kind}.v1+json`, Buffer.from(JSON.stringify(content)));
  const programs = blob("application/vnd.oci.image.layer.v1.tar", readFileSync(layer));
  const config = json("config", {
    os: "linux",
    architecture: machine(),
    config: { Entrypoint: ["/pause"] },
    rootfs: { type: "layers", diff_ids: [programs.digest] },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = json("manifest", { schemaVersion: 2, mediaType, config, layers: [programs] });
  const annotations = { "io.containerd.image.name": TEST_IMAGE };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const archive = join(directory, "test-image.tar");
  execFileSync("tar", ["-C", layout, "-cf", archive, "."]);
  return archive;
}

export interface PortolanImages {
  readonly repository: string;
  /** Of the same files; their labels tell another version. */
  readonly tags: readonly [string, string];
  readonly archives: readonly string[];
}

/** The image of this machine's architecture, under two tags. */
export function exportPortolan(directory: string): PortolanImages {
  const { name, buildah } = builtImage(machine());
  const repository = "localhost/portolan";
  const tags = ["first", "second"] as const;
  const archives = tags.map((tag) => {
    const archive = join(directory, `portolan-${tag}.tar`);
    const container = buildah("from", "--pull-never", name);
    try {
      buildah("config", "--label", `org.opencontainers.image.version=${tag}`, container);
      buildah("commit", "-q", container, `docker-archive:${archive}:${repository}:${tag}`);
    } finally {
      buildah("rm", container);
    }
    return archive;
  });
  return { repository, tags, archives };
}
