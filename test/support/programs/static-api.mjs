// SPDX-License-Identifier: Apache-2.0
// As much of an API server as a kube-proxy needs to read objects that never change, where the real one would take minutes to
// begin: each collection once, then a watch that says nothing. Arguments: a file with one JSON array of objects, port.
// Prints "ready".
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const [file = "", port = ""] = process.argv.slice(2);
const objects = JSON.parse(readFileSync(file, "utf8"));
const COLLECTIONS = {
  "/api/v1/services": ["v1", "Service"],
  "/api/v1/nodes": ["v1", "Node"],
  "/apis/discovery.k8s.io/v1/endpointslices": ["discovery.k8s.io/v1", "EndpointSlice"],
  "/apis/networking.k8s.io/v1/servicecidrs": ["networking.k8s.io/v1", "ServiceCIDR"],
};

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const [apiVersion, kind] = COLLECTIONS[url.pathname] ?? [];
  const answer = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  // A client that asks for its first list by a watch makes do with a list when told that there is none.
  if (kind === undefined || request.method !== "GET" || url.searchParams.has("sendInitialEvents")) {
    const status = {
      apiVersion: "v1",
      kind: "Status",
      metadata: {},
      status: "Failure",
      reason: "BadRequest",
      code: 400,
    };
    answer(400, status);
  } else if (url.searchParams.get("watch") === "true") {
    response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  } else {
    const items = objects.filter((object) => object.kind === kind);
    answer(200, { apiVersion, kind: `${kind}List`, metadata: { resourceVersion: "1" }, items });
  }
});
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
