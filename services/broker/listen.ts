/** Binds a TCP server, and says in one sentence why it could not. */
import type { Server } from "node:net";
import { GridError } from "../primitives/errors.ts";

/** @throws GridError port_in_use, permission_denied or argument_invalid */
export async function listen(
  server: Server,
  { host, port, onAcceptFailure }: { host: string; port: number; onAcceptFailure: () => void },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (failure: NodeJS.ErrnoException) => {
      reject(listenError(failure, { host, port }));
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      // From here on an error means one connection that could not be accepted.
      server.on("error", onAcceptFailure);
      resolve();
    });
  });
}

function listenError(
  failure: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): unknown {
  const options = { cause: failure };
  const place = `${host}:${port}`;
  if (failure.code === "EADDRINUSE") {
    const fix = "stop the other program, or choose another port for the broker";
    const message = `port ${port} on ${host} is taken: ${fix}`;
    return new GridError("port_in_use", message, { host, port }, options);
  }
  if (failure.code === "EACCES") {
    const message = `this user may not listen on ${place}: choose a port above 1023`;
    return new GridError("permission_denied", message, { path: place }, options);
  }
  if (failure.code === "EADDRNOTAVAIL" || failure.code === "ENOTFOUND") {
    const message = `${host} is no address of this machine: name one, or 0.0.0.0 for all`;
    return new GridError("argument_invalid", message, { argument: "host", value: host }, options);
  }
  return failure;
}
