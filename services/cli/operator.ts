/** How a command talks to a running node: over its HTTP interface, as the operator where needed. */
import { dirname } from "node:path";
import { type NodeConfig, readConfig } from "../node/config.ts";
import { readKeys } from "../node/keys.ts";
import { toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";

export type Operator = {
  readonly url: string;
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  delete(path: string): Promise<unknown>;
};

/** `url`, or where the configuration says the node listens. */
export function nodeUrl({ url, config }: { url: string | undefined; config: string }): string {
  if (url !== undefined) return url.replace(/\/$/, "");
  const { http } = readConfig({ file: config, environment: process.env });
  return `http://${http.host}:${http.port}`;
}

export function operatorOf({ url, config }: { url: string | undefined; config: string }): Operator {
  const settings: NodeConfig = readConfig({ file: config, environment: process.env });
  const base = nodeUrl({ url, config });
  const token = toHex(readKeys(settings.keys)["operator-token"]);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return {
    url: base,
    get: (path) => ask(`${base}${path}`, { headers }),
    post: (path, body) =>
      ask(`${base}${path}`, { method: "POST", headers, body: JSON.stringify(body) }),
    delete: (path) => ask(`${base}${path}`, { method: "DELETE", headers }),
  };
}

/** @throws GridError node_unreachable, or the answer's own code in `request_refused` */
export async function ask(url: string, request: RequestInit = {}): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) });
  } catch (cause) {
    const message = `no node answers at ${url}: is it running? Start it with \`gridlane node\``;
    throw new GridError("node_unreachable", message, { url }, { cause });
  }
  const body = (await answer.json().catch(() => null)) as {
    code?: string;
    message?: string;
  } | null;
  if (answer.ok || answer.status === 503) return body;
  throw new GridError("request_refused", `${url}: ${body?.message ?? answer.statusText}`, {
    url,
    code: body?.code ?? String(answer.status),
  });
}

export const CONFIG_HERE = "gridlane.yaml";

export function directoryOf(config: string): string {
  return dirname(config);
}
