/**
 * Bodies of at most REQUEST_BYTES_MAX, whether their length is said beforehand or not. By hand,
 * because hono's own limit copies the request object, which over `@hono/node-server` without global
 * overrides fails for every body without a length, and for a DELETE without any body.
 */
import type { MiddlewareHandler } from "hono";
import { concatBytes } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { REQUEST_BYTES_MAX } from "../primitives/limits.ts";

/** Of these no route reads a body. */
const WITHOUT_BODY = ["GET", "HEAD", "DELETE", "OPTIONS"];

/** @throws GridError request_oversized */
export function limitBody(): MiddlewareHandler {
  return async (c, next) => {
    const { method, headers, url } = c.req.raw;
    if (WITHOUT_BODY.includes(method)) return next();
    const length = headers.get("content-length");
    if (length !== null && !headers.has("transfer-encoding")) {
      // Node cuts a body that is longer than it said.
      if (!(Number(length) <= REQUEST_BYTES_MAX)) throw oversized();
      return next();
    }
    if (c.req.raw.body === null) return next();
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of c.req.raw.body) {
      bytes += part.length;
      if (bytes > REQUEST_BYTES_MAX) throw oversized();
      parts.push(part);
    }
    const body = concatBytes(parts) as Uint8Array<ArrayBuffer>;
    c.req.raw = new Request(url, { method, headers, body });
    return next();
  };
}

function oversized(): GridError {
  const bytesMax = REQUEST_BYTES_MAX;
  return new GridError("request_oversized", `a request has at most ${bytesMax} bytes`, {
    bytesMax,
  });
}
