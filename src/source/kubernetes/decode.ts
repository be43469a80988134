// SPDX-License-Identifier: Apache-2.0
// Answers of an API server -> objects as JSON has them. Unary protobuf bodies are "k8s\0" and runtime.Unknown, and so is
// the object of a watch event, whose own frame is not (apimachinery pkg/runtime/serializer/protobuf/protobuf.go).

import { type Frames, LengthFrames, LineFrames } from "./frames.ts";
import type { Message } from "./protobuf-schema.ts";
import { KUBERNETES } from "./schema.ts";

export const ACCEPT = "application/vnd.kubernetes.protobuf, application/json";

const MAGIC = Buffer.from("k8s\0", "latin1");

/** An object with the fields that its JSON form has, less those that nobody here reads. */
export interface ApiObject {
  /** `v1 Service`; "" where the wire does not say, as in the items of a list. */
  readonly type: string;
  readonly value: ApiValue;
}

export interface ApiValue {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** metav1.Status */
export interface ApiStatus {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly retryAfterSeconds?: number };
}

export interface ListPage {
  readonly items: readonly ApiValue[];
  readonly resourceVersion: string;
  /** "": this is the last page. */
  readonly continue: string;
}

/** type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, whose object is a Status. */
export interface WatchEvent {
  readonly type: string;
  readonly object: ApiObject;
}

/** One of the two wire formats. All of it throws Error for what is not in the format. */
export interface Codec {
  /** kind: of the items. */
  page(body: Buffer, kind: string): ListPage;
  status(body: Buffer): ApiStatus;
  frames(): Frames;
  event(frame: Buffer): WatchEvent;
}

/** By the content type of an answer; undefined: neither protobuf nor JSON. */
export function codecOf(contentType: string): Codec | undefined {
  if (contentType.startsWith("application/vnd.kubernetes.protobuf")) return PROTOBUF;
  if (contentType.startsWith("application/json")) return JSON_CODEC;
  return undefined;
}

interface Time {
  readonly seconds?: number;
}

const message = <T>(name: string): Message<T> => KUBERNETES.message(name);

interface Unknown {
  readonly typeMeta?: { readonly apiVersion?: string; readonly kind?: string };
  readonly raw?: Uint8Array;
}

const PROTOBUF: Codec = {
  page(body, kind) {
    const list = message<{ metadata?: Partial<ListPage>; items?: readonly Uint8Array[] }>("List").decode(
      open(body).raw,
    );
    return {
      items: (list.items ?? []).map((item) => decodeValue(kind, item)),
      resourceVersion: list.metadata?.resourceVersion ?? "",
      continue: list.metadata?.continue ?? "",
    };
  },
  status(body) {
    return message<ApiStatus>("Status").decode(open(body).raw);
  },
  frames: () => new LengthFrames(),
  event(frame) {
    const { type = "", object } = message<{ type?: string; object?: { raw?: Uint8Array } }>("WatchEvent").decode(frame);
    const { apiVersion, kind, raw } = open(object?.raw ?? new Uint8Array());
    return { type, object: { type: `${apiVersion} ${kind}`, value: decodeValue(kind, raw) } };
  },
};

function open(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length)))
    throw new Error("the answer does not begin as Kubernetes' protobuf");
  const { typeMeta, raw } = message<Unknown>("Unknown").decode(bytes.subarray(MAGIC.length));
  return { apiVersion: typeMeta?.apiVersion ?? "", kind: typeMeta?.kind ?? "", raw: raw ?? new Uint8Array() };
}

function decodeValue(kind: string, raw: Uint8Array): ApiValue {
  const value = message<ApiValue>(kind).decode(raw);
  const metadata = value.metadata as { creationTimestamp?: unknown; deletionTimestamp?: unknown } | undefined;
  if (metadata) {
    if (metadata.creationTimestamp) metadata.creationTimestamp = timeText(metadata.creationTimestamp);
    if (metadata.deletionTimestamp) metadata.deletionTimestamp = timeText(metadata.deletionTimestamp);
  }
  return value;
}

/** The last one made: objects are made in runs, and are told in them. */
let lastTime = { seconds: Number.NaN, text: "" };

/** As JSON has it. */
function timeText(time: Time): string {
  const seconds = Number(time.seconds ?? 0);
  if (seconds !== lastTime.seconds) lastTime = { seconds, text: new Date(seconds * 1000).toISOString() };
  return lastTime.text;
}

const JSON_CODEC: Codec = {
  page(body) {
    const list = parse(body) as { metadata?: Partial<ListPage>; items?: readonly ApiValue[] | null };
    return {
      items: list.items ?? [],
      resourceVersion: list.metadata?.resourceVersion ?? "",
      continue: list.metadata?.continue ?? "",
    };
  },
  status: (body) => parse(body) as ApiStatus,
  frames: () => new LineFrames(),
  event(frame) {
    const { type = "", object } = parse(frame) as { type?: string; object?: ApiValue & Unknown["typeMeta"] };
    return { type, object: { type: `${object?.apiVersion} ${object?.kind}`, value: object ?? {} } };
  },
};

function parse(bytes: Buffer): object {
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  if (typeof value === "object" && value !== null) return value;
  throw new Error("the answer is no JSON object");
}
