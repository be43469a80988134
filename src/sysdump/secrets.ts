// SPDX-License-Identifier: Apache-2.0
// Takes secrets out of text that goes to somebody else. Nothing that goes into an archive should hold any: logs may quote
// a line of a kubeconfig, or a URL with a password. Pure.

const CLASSIFIED = "CLASSIFIED";

/** "token", "client-key-data", "PORTOLAN_PASSWORD" and the like, but not the port "token" of `shop/token:http`. */
const NAME = String.raw`(?<![\w/-])[\w-]*(?:password|passwd|token|secret|credentials?|api[-_]?key|key[-_]data)`;
/** Quotes that are themselves within quotes have backslashes. */
const QUOTE = String.raw`\\*["']`;

const RULES: readonly (readonly [secret: RegExp, instead: string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/gs, CLASSIFIED],
  // The same in base64, as kubeconfigs have it; certificates look alike and are no loss.
  [/\bLS0tLS1CRUdJTi[\w+/=]+/g, CLASSIFIED],
  // JSON web tokens, which service accounts have
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, CLASSIFIED],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, `$1 ${CLASSIFIED}`],
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#]*@/gi, `$1${CLASSIFIED}@`],
  [new RegExp(`(${NAME}(?:${QUOTE})?\\s*[:=]\\s*)(${QUOTE})[^"'\\n]*?\\2`, "gi"), `$1$2${CLASSIFIED}$2`],
  [new RegExp(`(${NAME}(?:${QUOTE})?\\s*[:=]\\s*)(?!${QUOTE})[^\\s,}&]+`, "gi"), `$1${CLASSIFIED}`],
];

/** The text with the word CLASSIFIED in place of passwords, tokens and keys. */
export function withoutSecrets(text: string): string {
  return RULES.reduce((clean, [secret, instead]) => clean.replace(secret, instead), text);
}
