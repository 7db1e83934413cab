/** The event stream's door: `status` first, then `block`, each with its height as id. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { toHex0x } from "../primitives/bytes.ts";
import { StreamBlock, StreamReset } from "../wire/api.ts";
import type { ApiContext, ApiEnv } from "./context.ts";
import { refusals } from "./documents.ts";
import { slotSummary } from "./slot-views.ts";
import { createStreamHub, type StreamHub } from "./stream-hub.ts";
import { replayBlocks } from "./stream-replay.ts";

export function createHub(context: ApiContext, { onDrop }: { onDrop: () => void }): StreamHub {
  const { genesis, options } = context;
  const { chain, repeat } = options;
  const regions = [...genesis.regions.keys()].filter(context.isShown);
  return createStreamHub({
    chain,
    repeat,
    onDrop,
    status: context.status,
    blockEvent: (block) => ({
      height: block.height,
      timeS: block.timeS,
      appHash: toHex0x(block.appHash),
      slots: block.slotRecords
        .filter(({ regionIndex }) => context.isShown(regionIndex))
        .map((record) => slotSummary(record, genesis)),
    }),
    replay: (range) =>
      replayBlocks({
        ...range,
        chain,
        regions,
        summarise: (record) => slotSummary(record, genesis),
      }),
  });
}

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no", // nginx would keep events back
  "Transfer-Encoding": "chunked", // tells the server to send the head at once
};

export function installStreamRoute(app: OpenAPIHono<ApiEnv>, hub: StreamHub): void {
  // OpenAPI has no words for events, so their data stand in the document as components.
  for (const [name, schema] of Object.entries({ StreamBlock, StreamReset })) {
    const { $schema: _, ...component } = z.toJSONSchema(schema);
    app.openAPIRegistry.registerComponent("schemas", name, component as object);
  }
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/stream",
      operationId: "followStream",
      tags: ["market"],
      summary: "Server-sent events: `status`, then `block`; resumes after Last-Event-ID",
      description:
        "Where the missed blocks cannot be replayed, `reset` says to fetch anew. A client that " +
        "does not keep up is dropped.",
      request: { headers: z.object({ "last-event-id": z.string().optional() }) },
      responses: {
        200: { description: "events", content: { "text/event-stream": { schema: z.string() } } },
        ...refusals(503),
      },
    }),
    (c) => {
      if (c.req.method === "HEAD") return c.body(null, 200, HEADERS); // nobody would read it
      const stream = hub.open({
        lastHeight: lastHeight(c.req.valid("header")["last-event-id"]),
        signal: c.req.raw.signal,
        sever: () => c.env?.outgoing?.destroy(),
      });
      return c.body(stream, 200, HEADERS);
    },
  );
}

/** An id that is none of ours is answered like one that is too old: fetch anew. */
function lastHeight(id: string | undefined): number | null {
  if (id === undefined || id === "") return null;
  return /^\d{1,15}$/.test(id) ? Number(id) : -1;
}
