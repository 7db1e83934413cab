/** Reads server-sent events off a body, as the standard's parser does for the fields in use. */
export type StreamEvent = { event: string; id: string | null; data: unknown };

export type EventReader = {
  /** The next event; null when the stream has ended. Comments are skipped. */
  next(): Promise<StreamEvent | null>;
  /** The next block of lines as it came, comments included. */
  nextRaw(): Promise<string | null>;
  cancel(): Promise<void>;
};

export function readEvents(body: ReadableStream<Uint8Array> | null): EventReader {
  if (body === null) throw new Error("the answer has no body");
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const nextRaw = async (): Promise<string | null> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        return block;
      }
      const { done, value } = await reader.read();
      if (done) return null;
      text += decoder.decode(value, { stream: true });
    }
  };
  return {
    nextRaw,
    next: async () => {
      for (;;) {
        const block = await nextRaw();
        if (block === null) return null;
        if (block.startsWith(":")) continue;
        const field = (name: string) =>
          block
            .split("\n")
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2);
        const data: unknown = JSON.parse(field("data") ?? "null");
        return { event: field("event") ?? "message", id: field("id") ?? null, data };
      }
    },
    cancel: () => reader.cancel(),
  };
}
