/** Health, metrics and the document, for machines that look after the node. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiContext, ApiEnv } from "./context.ts";
import { Health, json } from "./documents.ts";

const tags = ["operation"];
const Live = z.object({ live: z.literal(true) }).meta({ id: "Live" });

export function installSystemRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { metrics, readiness } = context.options;
  let history: "reading" | "read" | "unreadable" = "reading";
  context.readModel.warmed.then(
    () => {
      history = "read";
    },
    (fault: unknown) => {
      history = "unreadable";
      context.options.onFault(fault);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/livez",
      operationId: "getLive",
      tags,
      summary: "The process answers",
      responses: { 200: json(Live, "it does") },
    }),
    (c) => c.json({ live: true as const }, 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      operationId: "getReady",
      tags,
      summary: "The node can do its work; else why not",
      responses: { 200: json(Health, "ready"), 503: json(Health, "not ready, and why") },
    }),
    (c) => {
      const node = readiness();
      const reasons = [...node.reasons];
      if (history === "reading") reasons.push("history is being added up");
      if (history === "unreadable") reasons.push("history cannot be read");
      const ready = node.ready && history === "read";
      return c.json({ ready, reasons }, ready ? 200 : 503);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/metrics",
      operationId: "getMetrics",
      tags,
      summary: "Prometheus text format",
      responses: {
        200: { description: "metrics", content: { "text/plain": { schema: z.string() } } },
      },
    }),
    async (c) => c.text(await metrics.metrics(), 200, { "Content-Type": metrics.contentType }),
  );
  let document: object | null = null;
  app.get("/openapi.json", (c) => {
    document ??= openApiDocument(app, context.options.version);
    return c.json(document);
  });
}

export function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string): object {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "gridlane",
      version,
      description:
        "A local energy market that its members own. Energy in Wh, prices in micro-cents per Wh, " +
        "money in micro-cents as decimal strings, times in unix seconds; a missing value is null.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
    tags: ["market", "member", "session", "chain", "operation"].map((name) => ({ name })),
  });
}
