/** The API on a socket. Port 0 takes any free port. */
import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { GridError } from "../primitives/errors.ts";
import { HTTP_CONNECTIONS_MAX } from "../primitives/limits.ts";
import type { Api } from "./api.ts";

export type Served = {
  readonly url: string; // without a slash at the end
  /** Ends streams, lets answers under way finish, then closes what still hangs. */
  stop(): Promise<void>;
};

/** How long answers under way may take to finish, milliseconds. */
const STOP_GRACE_MS = 2000;
/** A request's head, and the whole request, must arrive within these: slow senders hold sockets. */
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** @throws GridError port_in_use, permission_denied, argument_invalid (no such address) */
export async function serveApi({
  api,
  host,
  port,
}: {
  api: Api;
  host: string;
  port: number;
}): Promise<Served> {
  const server = createAdaptorServer({
    fetch: api.app.fetch,
    overrideGlobalObjects: false,
    serverOptions: { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  }) as Server;
  server.maxConnections = HTTP_CONNECTIONS_MAX;
  const connections = watchConnections(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (fault: NodeJS.ErrnoException) => reject(explain(fault, host, port)));
    server.listen(port, host, resolve);
  });
  return {
    url: urlOf(server.address() as AddressInfo),
    stop: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      api.close();
      connections.closeWhenIdle();
      const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

/**
 * Node's own `closeIdleConnections` passes over connections that never sent a request, and browsers
 * keep such ones in reserve.
 */
function watchConnections(server: Server): { closeWhenIdle(): void } {
  const answering = new Map<Socket, number>();
  let state: "open" | "closing" = "open";
  server.on("connection", (socket) => {
    answering.set(socket, 0);
    socket.once("close", () => answering.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    answering.set(socket, (answering.get(socket) ?? 0) + 1);
    response.once("close", () => {
      const left = (answering.get(socket) ?? 1) - 1;
      if (socket.destroyed) return;
      answering.set(socket, left);
      if (left === 0 && state === "closing") socket.destroySoon();
    });
  });
  return {
    closeWhenIdle: () => {
      state = "closing";
      for (const [socket, count] of answering) if (count === 0) socket.destroySoon();
    },
  };
}

function urlOf({ address, port }: AddressInfo): string {
  if (address === "0.0.0.0" || address === "::") return `http://localhost:${port}`;
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function explain(fault: NodeJS.ErrnoException, host: string, port: number): Error {
  const cause = { cause: fault };
  switch (fault.code) {
    case "EADDRINUSE": {
      const message = `port ${port} on ${host} is in use: stop what uses it, or choose another`;
      return new GridError("port_in_use", message, { host, port }, cause);
    }
    case "EACCES": {
      const message = `not allowed to listen on port ${port}: choose one above 1023`;
      return new GridError("permission_denied", message, { path: `${host}:${port}` }, cause);
    }
    case "EADDRNOTAVAIL":
    case "ENOTFOUND": {
      const message = `this machine has no address ${host}`;
      return new GridError("argument_invalid", message, { argument: "host", value: host }, cause);
    }
    default:
      return fault;
  }
}
