/**
 * Method: one suite over every source, on a chain in memory, in a directory and behind HTTP; then
 * the HTTP source against what a network does and a hostile node can do: each ends in a coded error
 * in bounded time and memory, and what another try can mend is mended.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createHttpAuditSource } from "../../../services/node/audit-http.ts";
import { createStoreAuditSource } from "../../../services/ordering/embedded/audit-source.ts";
import { encodeBody, encodeSignedHeader } from "../../../services/ordering/embedded/block.ts";
import {
  inspectBlockStore,
  openBlockStore,
} from "../../../services/ordering/embedded/block-store.ts";
import { encodeResponse } from "../../../services/ordering/embedded/engine-records.ts";
import { openSealedLevel } from "../../../services/ordering/embedded/sealed-level.ts";
import { encode } from "../../../services/primitives/codec.ts";
import {
  AUDIT_ANSWER_BYTES_MAX,
  AUDIT_BLOCKS_PER_PAGE_MAX,
  AUDIT_KEYS_PER_PAGE_MAX,
  AUDIT_PAGE_BYTES_MAX,
  AUDIT_RECORDS_PER_PAGE_MAX,
  AUDIT_TRIES_MAX,
} from "../../../services/primitives/limits.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import {
  decodeAuditHead,
  decodeBlockPage,
  decodeKeyPage,
  decodeRecordPage,
  decodeStatePage,
  encodeAuditHead,
} from "../../../services/wire/audit-page.ts";
import { serveAudit } from "../../support/audit-server.ts";
import { type MemoryChain, memoryAuditSource } from "../../support/memory-audit-source.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { auditSourceSuite } from "./audit-source-suite.ts";

const hash = (n: number) => new Uint8Array(32).fill(n);
const BLOCKS = 2 * AUDIT_BLOCKS_PER_PAGE_MAX + 5;

/** More blocks and records than fit a page, and values that fill one by their bytes. */
function sampleChain(strays: readonly string[]): MemoryChain {
  const blocks = Array.from({ length: BLOCKS }, (_, i) => {
    const header = {
      ...{ chainVersion: 1, networkId: "sample", height: i + 1, timeS: (60 * i) as UnixSeconds },
      ...{ parentHash: hash(1), transactionsRoot: hash(2), appHash: hash(3) },
    };
    return {
      header: encodeSignedHeader({ header, signature: new Uint8Array(64) }),
      body: encodeBody([Uint8Array.of(i % 256)]),
      response: encodeResponse({ appHash: hash(4), results: [{ code: 0, info: "" }] }),
    };
  });
  const digits = (n: number, width: number) => String(n).padStart(width, "0");
  const records = new Map<string, Uint8Array>();
  records.set("head/last", Uint8Array.of(1));
  for (let r = 0; r < 300; r++) records.set(`lane/${digits(r, 4)}`, Uint8Array.of(r % 256, 7));
  for (let r = 0; r < 3; r++) {
    records.set(`forward/${digits(r, 4)}`, new Uint8Array(AUDIT_PAGE_BYTES_MAX - 1 + r).fill(r));
  }
  for (let s = 0; s < 40; s++) records.set(`slot/0000/${digits(s, 16)}`, Uint8Array.of(s));
  const state = { height: BLOCKS, timeS: (60 * BLOCKS) as UnixSeconds, appHash: hash(4) };
  return {
    head: { genesisHash: hash(9), base: 1, blocks: BLOCKS, state },
    blocks,
    records,
    strays,
  };
}

describe("in memory", () => {
  const chain = sampleChain(["zz"]);
  auditSourceSuite(async () => {
    return { source: memoryAuditSource(chain, 100), chain, close: async () => {} };
  });
});

/** The sample written by the store's own means. */
async function sampleDirectory(chain: MemoryChain): Promise<string> {
  const directory = join(temporaryDirectory(), "chain");
  const store = await openBlockStore({ directory });
  await store.bind(chain.head.genesisHash);
  await store.close();
  const level = await openSealedLevel(directory);
  const height = (n: number) => n.toString(16).padStart(14, "0");
  const { timeS, appHash } = chain.head.state!;
  await level.write([
    ...chain.blocks.flatMap(({ header, body, response }, i) => [
      { key: `h/${height(i + 1)}`, value: header },
      { key: `b/${height(i + 1)}`, value: body },
      { key: `r/${height(i + 1)}`, value: response },
    ]),
    ...[...chain.records].map(([key, value]) => ({ key: `a/${key}`, value })),
    ...chain.strays.map((key) => ({ key, value: Uint8Array.of(1) })),
    { key: "s", value: encode(chain.head.blocks) },
    { key: "t", value: encode([chain.head.blocks, timeS, appHash]) },
  ]);
  await level.close();
  return directory;
}

describe("a directory", () => {
  const chain = sampleChain(["zz"]);
  const made = sampleDirectory(chain);
  auditSourceSuite(async () => {
    const store = await inspectBlockStore({ directory: await made });
    return { source: createStoreAuditSource(store), chain, close: () => store.close() };
  });

  test("pages end at their counts and by their bytes", async () => {
    const store = await inspectBlockStore({ directory: await made });
    try {
      const source = createStoreAuditSource(store);
      const blocks = await source.blocks({ fromHeight: 1, toHeight: BLOCKS });
      expect(blocks).toHaveLength(AUDIT_BLOCKS_PER_PAGE_MAX);
      const large = ["forward/0000", "forward/0001", "forward/0002"];
      // The one that passes the bytes is the last.
      expect(await source.records(large)).toHaveLength(2);
      expect(await source.records(large.slice(1))).toHaveLength(1);
      const many = [...chain.records.keys()].filter((key) => key.startsWith("lane/"));
      expect(await source.records(many)).toHaveLength(AUDIT_RECORDS_PER_PAGE_MAX);
      expect((await source.state("")).records.map(({ key }) => key)).toEqual(large.slice(0, 2));
    } finally {
      await store.close();
    }
  });
});

describe("a node over HTTP", () => {
  const chain = sampleChain(["zz"]);
  auditSourceSuite(async () => {
    const server = await serveAudit(memoryAuditSource(chain, 100));
    return { source: createHttpAuditSource(server), chain, close: server.stop };
  });
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const servers: Server[] = [];

/** A server that answers as it likes. */
async function hostile(answer: Answer) {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const waits: number[] = [];
  const source = createHttpAuditSource({
    url: `http://127.0.0.1:${port}/`,
    token: "f".repeat(64),
    wait: async (milliseconds) => void waits.push(milliseconds),
  });
  return { source, waits, url: `http://127.0.0.1:${port}` };
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const HEAD = encodeAuditHead({ genesisHash: hash(1), base: 1, blocks: 0, state: null });

test("a lost connection, a busy node and one that restarts are asked again", async () => {
  let asked = 0;
  const { source, waits } = await hostile((request, response) => {
    asked++;
    if (asked === 1) return void request.socket.destroy();
    if (asked === 2) {
      response.writeHead(200, { "content-length": HEAD.length });
      response.write(HEAD.subarray(0, 5));
      return void setImmediate(() => request.socket.destroy());
    }
    if (asked === 3) return void response.writeHead(429, { "retry-after": "7" }).end("{}");
    if (asked === 4) return void response.writeHead(503).end();
    response.end(HEAD);
  });
  expect(await source.head()).toMatchObject({ blocks: 0 });
  expect(waits).toEqual([250, 500, 7000, 2000]);
});

test("tries are counted", async () => {
  const { source, waits, url } = await hostile((_, response) => {
    response.writeHead(503, { "retry-after": "86400" }).end();
  });
  await expect(source.head()).rejects.toMatchObject({ code: "node_unreachable", facts: { url } });
  expect(waits).toEqual(Array(AUDIT_TRIES_MAX - 1).fill(30_000));
});

test("a refusal is told in the node's words, cut and harmless", async () => {
  const table = [
    {
      status: 401,
      body: '{"code":"unauthenticated","message":"no \\u001b[2J"}',
      says: /no \?\[2J/,
    },
    { status: 404, body: "<html>", says: /no gridlane node/ },
    { status: 500, body: '{"code":"internal","message":"x"}', says: /x/ },
    { status: 400, body: `{"code":"a","message":"${"y".repeat(5000)}"}`, says: /^.{200,300}$/ },
  ];
  for (const { status, body, says } of table) {
    const { source, waits } = await hostile((_, response) => {
      response.writeHead(status).end(body);
    });
    const failure = await source.head().catch((error: Error) => error);
    expect(failure).toMatchObject({
      code: "request_refused",
      message: expect.stringMatching(says),
    });
    expect(waits).toEqual([]);
  }
});

test("the token goes to no other place", async () => {
  const seen: (string | undefined)[] = [];
  const other = await hostile((request, response) => {
    seen.push(request.headers.authorization);
    response.end(HEAD);
  });
  const { source } = await hostile((_, response) => {
    response.writeHead(302, { location: `${other.url}/api/v1/audit/head` }).end();
  });
  await expect(source.head()).rejects.toMatchObject({ code: "node_unreachable" });
  expect(seen).toEqual([]);
});

test("an answer without an end is cut", async () => {
  let sent = 0;
  const { source } = await hostile((_, response) => {
    const part = new Uint8Array(1024 * 1024);
    const more = () => {
      while (!response.destroyed && sent < 4 * AUDIT_ANSWER_BYTES_MAX) {
        sent += part.length;
        if (!response.write(part)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  await expect(source.head()).rejects.toMatchObject({ code: "answer_malformed" });
  expect(sent).toBeLessThan(2 * AUDIT_ANSWER_BYTES_MAX);
}, 30_000);

test("pages that are not what was asked for", async () => {
  const block = [Uint8Array.of(1), Uint8Array.of(1), null];
  const table = [
    { page: encode([block, block]), ask: "blocks" },
    { page: encode([]), ask: "records" },
    { page: encode([null, null]), ask: "records" },
    { page: encode([1, [], [], "a"]), ask: "keys" }, // a cursor that does not go on
    { page: encode([null, [], "b"]), ask: "state" },
    { page: encode([1, [], [], "k".repeat(2000)]), ask: "keys" },
    { page: encode([-1, [], [], null]), ask: "keys" },
    { page: encode(Array(AUDIT_KEYS_PER_PAGE_MAX).fill("")), ask: "keys" },
    { page: encode(Array(AUDIT_BLOCKS_PER_PAGE_MAX + 1).fill(block)), ask: "blocks" },
    { page: encode([[hash(1)], []]), ask: "state" },
    { page: new Uint8Array(0), ask: "head" },
    { page: Uint8Array.from([...HEAD, 0]), ask: "head" },
  ];
  for (const { page, ask } of table) {
    const { source, url } = await hostile((_, response) => void response.end(page));
    const asked = {
      head: () => source.head(),
      blocks: () => source.blocks({ fromHeight: 5, toHeight: 5 }),
      records: () => source.records(["a"]),
      keys: () => source.keys("b"),
      state: () => source.state("b"),
    }[ask]!;
    await expect(asked(), ask).rejects.toMatchObject({ code: "answer_malformed", facts: { url } });
  }
});

test("any bytes as a page are a page or a coded refusal", () => {
  const decoders = [
    ...[decodeAuditHead, decodeBlockPage, decodeRecordPage, decodeKeyPage, decodeStatePage],
  ];
  const shapes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Arrays of many small values: what would cost most memory.
    fc.nat(9000).map((count) => encode(Array(count).fill(0))),
    fc.nat(3000).map((count) => encode([1, Array(count).fill("k"), [], null])),
  );
  fc.assert(
    fc.property(shapes, fc.constantFrom(...decoders), (bytes, decode) => {
      try {
        decode(bytes);
      } catch (failure) {
        expect(failure).toMatchObject({ code: "bytes_malformed" });
      }
    }),
    { numRuns: 300 },
  );
});

test.each(["", "village", "ftp://127.0.0.1", "http//x", "127.0.0.1:8787"])(
  "no address of a node: %o",
  (url) => {
    expect(() => createHttpAuditSource({ url, token: "" })).toThrow(
      expect.objectContaining({ code: "argument_invalid" }),
    );
  },
);
