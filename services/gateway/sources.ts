/**
 * Where telegrams come from: a file, standard input, a TCP server, a serial device, a topic of a
 * local MQTT broker. A source hands over bytes as they come and waits until they are taken, so a
 * fast one cannot fill the memory. What ends by itself (a file) resolves; all others reconnect
 * until they are told to stop.
 */
import { execFile } from "node:child_process";
import { constants, createReadStream, openSync } from "node:fs";
import { createConnection } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { promisify } from "node:util";
import { connect } from "mqtt";
import { GridError } from "../primitives/errors.ts";

export type SourcePlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "stdin" }
  | { readonly kind: "frames"; readonly frames: readonly Uint8Array[] } // already taken apart
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "serial"; readonly path: string; readonly stty: readonly string[] }
  | {
      readonly kind: "mqtt";
      readonly url: string;
      readonly topics: readonly string[];
      readonly username?: string;
      readonly password?: string;
    };

/** Functions without `this`. */
export type SourceSink = {
  /** A piece of a stream. */
  readonly chunk: (bytes: Uint8Array) => Promise<void>;
  /** A whole message. */
  readonly frame: (bytes: Uint8Array) => Promise<void>;
  /** A stream begins anew: what waits of the last one will not go on. */
  readonly restart: () => void;
  readonly link: (state: "connected" | { readonly disconnected: string }) => void;
};

export type SourceTiming = {
  readonly retryMinMs: number; // doubles with each failure
  readonly retryMaxMs: number;
  readonly silenceMs: number; // a TCP server that says nothing for so long is connected anew
};
export const SOURCE_TIMING: SourceTiming = {
  retryMinMs: 500,
  retryMaxMs: 30_000,
  silenceMs: 120_000,
};

/**
 * Runs until the source ends or `signal` aborts.
 *
 * @throws GridError file_unreadable; argument_invalid where `stty` refuses the settings
 */
export async function runSource(
  place: SourcePlace,
  sink: SourceSink,
  { signal, timing = SOURCE_TIMING }: { signal: AbortSignal; timing?: SourceTiming },
): Promise<void> {
  if (place.kind === "file") return await readFile(place.path, sink, signal);
  if (place.kind === "stdin") return await pump(process.stdin, sink.chunk, signal);
  if (place.kind === "frames") {
    for (const frame of place.frames) if (!signal.aborted) await sink.frame(frame);
    return;
  }
  if (place.kind === "mqtt") return await subscribe(place, sink, { signal, timing });
  if (place.kind === "serial") await configure(place);
  let waitMs = timing.retryMinMs;
  while (!signal.aborted) {
    sink.restart();
    let hasSpoken = false;
    const chunk = (bytes: Uint8Array) => {
      hasSpoken = true;
      return sink.chunk(bytes);
    };
    try {
      if (place.kind === "tcp") await readSocket(place, { ...sink, chunk }, { signal, timing });
      else {
        const terminal = openTerminal(place.path);
        sink.link("connected");
        await pump(terminal, chunk, signal);
      }
      if (!signal.aborted) sink.link({ disconnected: "the other end closed" });
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      sink.link({ disconnected: error.message });
    }
    waitMs = hasSpoken ? timing.retryMinMs : Math.min(2 * waitMs, timing.retryMaxMs);
    await delay(waitMs, undefined, { signal }).catch(() => {}); // aborted: the loop ends
  }
}

async function readFile(path: string, sink: SourceSink, signal: AbortSignal): Promise<void> {
  try {
    await pump(createReadStream(path), sink.chunk, signal);
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause) || cause instanceof GridError) throw cause;
    throw new GridError("file_unreadable", `${path} cannot be read`, { file: path }, { cause });
  }
}

type Readable = NodeJS.ReadableStream & AsyncIterable<unknown> & { destroy(): unknown };

/** Byte by byte as they come; ends with the stream, or when told to. */
async function pump(
  stream: Readable,
  take: SourceSink["chunk"],
  signal: AbortSignal,
): Promise<void> {
  const stop = () => stream.destroy();
  signal.addEventListener("abort", stop);
  try {
    for await (const chunk of stream) await take(Uint8Array.from(chunk as Buffer));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stream.destroy();
  }
}

async function readSocket(
  { host, port }: { host: string; port: number },
  sink: SourceSink,
  { signal, timing }: { signal: AbortSignal; timing: SourceTiming },
): Promise<void> {
  const socket = createConnection({ host, port });
  socket.on("connect", () => sink.link("connected"));
  socket.setTimeout(timing.silenceMs, () => {
    socket.destroy(Object.assign(new Error(`${host}:${port} is silent`), { code: "ETIMEDOUT" }));
  });
  await pump(socket, sink.chunk, signal);
}

/** A terminal is read without blocking, so that the process can end while the meter is silent. */
function openTerminal(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  return new ReadStream(fd);
}

/** `stty -F PATH SETTINGS`: speed, parity and no terminal habits. */
async function configure({ path, stty }: { path: string; stty: readonly string[] }): Promise<void> {
  try {
    await promisify(execFile)("stty", ["-F", path, ...stty]);
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    const text = `${path} is no serial device that takes ${stty.join(" ")}: ${stderr || message}`;
    throw new GridError("argument_invalid", text.trim(), { argument: "serial", value: path });
  }
}

async function subscribe(
  place: Extract<SourcePlace, { kind: "mqtt" }>,
  sink: SourceSink,
  { signal, timing }: { signal: AbortSignal; timing: SourceTiming },
): Promise<void> {
  const { url, topics, username, password } = place;
  const client = connect(url, {
    ...{ protocolVersion: 4, clean: true, keepalive: 60, reconnectPeriod: timing.retryMinMs },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
  let failed: ((error: unknown) => void) | null = null;
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  // The client reads no further before this has taken the message: that is all the queue there is.
  client.handleMessage = (packet, done) => {
    if (packet.retain) return done(); // kept from some time ago: nobody knows when it was read
    sink.frame(Uint8Array.from(packet.payload as Buffer)).then(() => done(), failed);
  };
  client.on("connect", () => {
    client.subscribe([...topics], { qos: 0 }, (error) => {
      sink.link(error ? { disconnected: "the broker refused the topic" } : "connected");
    });
  });
  client.on("error", (error) => sink.link({ disconnected: error.message }));
  client.on("close", () => sink.link({ disconnected: `${url} is not connected` }));
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, failure]);
  } finally {
    client.removeAllListeners();
    client.on("error", () => {}); // a socket may still fail while it closes
    await client.endAsync(true);
  }
}
