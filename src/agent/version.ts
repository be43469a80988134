// SPDX-License-Identifier: Apache-2.0
// The version of agent and CLI: package.json's, taken into the bundle.

import manifest from "../../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
