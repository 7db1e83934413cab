/**
 * Somebody else's running node as an auditor reads it: the pages of `api/audit-routes.ts`.
 *
 * Safe because nothing that comes in is believed or unbounded: an answer is read up to
 * AUDIT_ANSWER_BYTES_MAX and no longer than its time, a page is decoded strictly, and holds at most
 * what was asked for. A connection that is lost, a node that is busy or restarts is asked again, at
 * most AUDIT_TRIES_MAX times; every request names where it goes on, so nothing is read twice.
 */
import type { AuditSource } from "../chain/audit-source.ts";
import { GridError } from "../primitives/errors.ts";
import { AUDIT_ANSWER_BYTES_MAX, AUDIT_TRIES_MAX } from "../primitives/limits.ts";
import {
  decodeAuditHead,
  decodeBlockPage,
  decodeKeyPage,
  decodeRecordPage,
  decodeStatePage,
} from "../wire/audit-page.ts";

/** One answer must be whole within this time. */
const ANSWER_MS = 60_000;
/** The first wait before a try; each further one is twice as long, up to the last. */
const WAIT_MS = 250;
const WAIT_MS_MAX = 30_000;

export type HttpAuditOptions = {
  readonly url: string; // of the node, http or https, without a path
  readonly token: string; // an auditor's
  /** Tests shorten it. */
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** Told of each failure that is followed by another try. */
  readonly onRetry?: (why: string) => void;
};

/** @throws GridError argument_invalid where `url` is no address of a node */
export function createHttpAuditSource(options: HttpAuditOptions): AuditSource {
  const client = new Client(options);
  return {
    name: client.base,
    head: () => client.read("head", decodeAuditHead),
    blocks: async ({ fromHeight, toHeight }) => {
      const path = `blocks?from=${fromHeight}&to=${toHeight}`;
      const blocks = await client.read(path, decodeBlockPage);
      if (blocks.length > toHeight - fromHeight + 1) throw client.malformed("too many blocks");
      return blocks;
    },
    records: async (keys) => {
      const records = await client.read("records", decodeRecordPage, { keys });
      const fits = records.length > 0 && records.length <= keys.length;
      if (!fits) throw client.malformed("not the records asked for");
      return records;
    },
    keys: async (after) => {
      const page = await client.read(`keys?after=${encodeURIComponent(after)}`, decodeKeyPage);
      client.requireProgress(after, page.next);
      return page;
    },
    state: async (after) => {
      const page = await client.read(`state?after=${encodeURIComponent(after)}`, decodeStatePage);
      client.requireProgress(after, page.next);
      return page;
    },
  };
}

/** A failure that another try may mend. */
class Transient extends Error {
  readonly waitMs: number | null; // as the node asked
  constructor(why: string, waitMs: number | null = null, options?: ErrorOptions) {
    super(why, options);
    this.waitMs = waitMs;
  }
}

class Client {
  readonly base: string;
  readonly #options: HttpAuditOptions;

  constructor(options: HttpAuditOptions) {
    this.#options = options;
    this.base = baseOf(options.url);
  }

  /** @param body - asked by POST where there is one */
  async read<Page>(
    path: string,
    decodePage: (bytes: Uint8Array) => Page,
    body?: object,
  ): Promise<Page> {
    const bytes = await this.#withTries(() => this.#ask(path, body));
    try {
      return decodePage(bytes);
    } catch (failure) {
      if (!(failure instanceof GridError)) throw failure;
      throw this.malformed(failure.message);
    }
  }

  malformed(what: string): GridError {
    const url = this.base;
    return new GridError("answer_malformed", `${url}: not an auditor's page: ${what}`, {
      url,
      what,
    });
  }

  /** A walk that does not move would never end. */
  requireProgress(after: string, next: string | null): void {
    if (next !== null && next <= after) throw this.malformed("a page that does not go on");
  }

  async #withTries(ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { wait = sleep, onRetry } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (failure) {
        if (!(failure instanceof Transient)) throw failure;
        const url = this.base;
        if (attempt === AUDIT_TRIES_MAX) {
          const message = `${url} does not answer (${failure.message}), tried ${attempt} times`;
          throw new GridError("node_unreachable", message, { url }, { cause: failure });
        }
        onRetry?.(failure.message);
        const ownMs = WAIT_MS * 2 ** (attempt - 1);
        await wait(Math.min(failure.waitMs ?? ownMs, WAIT_MS_MAX));
      }
    }
  }

  async #ask(path: string, body: object | undefined): Promise<Uint8Array> {
    const headers = { authorization: `Bearer ${this.#options.token}` };
    const request: RequestInit =
      body === undefined
        ? { headers }
        : {
            method: "POST",
            headers: { ...headers, "content-type": "application/json" },
            body: JSON.stringify(body),
          };
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      // A redirect would carry the token to another place.
      const answer = await fetch(`${this.base}/api/v1/audit/${path}`, {
        ...{ ...request, signal, redirect: "error" },
      });
      if (answer.ok) return await readBounded(answer, () => this.malformed("too long"));
      throw await this.#refused(answer);
    } catch (failure) {
      if (failure instanceof GridError || failure instanceof Transient) throw failure;
      throw new Transient(whyOf(failure), null, { cause: failure });
    }
  }

  async #refused(answer: Response): Promise<Error> {
    const text = new TextDecoder().decode(
      await readBounded(answer, () => this.malformed("too long a refusal")),
    );
    const { code, message } = refusalOf(text);
    const { status } = answer;
    if (status === 429 || (status >= 502 && status <= 504)) {
      const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
      return new Transient(`${status} ${code}`, seconds >= 0 ? seconds * 1000 : null);
    }
    const url = this.base;
    return new GridError("request_refused", `${url}: ${message}`, {
      url,
      code: code === "" ? String(status) : code,
    });
  }
}

function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, "");
  throw new GridError("argument_invalid", `${text} is no address like http://host:port`, {
    argument: "url",
    value: text,
  });
}

async function readBounded(answer: Response, tooLong: () => Error): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > AUDIT_ANSWER_BYTES_MAX) throw tooLong(); // leaving the loop cancels the rest
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** A node's refusal in its own words, cut to what a person reads; anything else is no words. */
function refusalOf(text: string): { readonly code: string; readonly message: string } {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === "string" && typeof message === "string") {
      return { code: printable(code, 40), message: printable(message, 200) };
    }
  } catch {
    // not JSON: another program answers there
  }
  return { code: "", message: "this is no gridlane node, or one without audits" };
}

function printable(text: string, max: number): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, max);
}

function whyOf(failure: unknown): string {
  const { cause, message } = failure as { cause?: { code?: string }; message?: string };
  return cause?.code ?? message ?? String(failure);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
