// SPDX-License-Identifier: Apache-2.0
// Prints docs/kernels.md.
import { kernelsDocument } from "./kernels-document.ts";

process.stdout.write(kernelsDocument());
