/** Lines of a text file with their numbers, read in chunks, each bounded in length. */
import { createReadStream } from "node:fs";
import { GridError } from "../../services/primitives/errors.ts";
import { REPLAY_LINE_BYTES_MAX } from "../../services/primitives/limits.ts";

export type CsvLine = { readonly line: number; readonly text: string };

/**
 * Yields the lines of each chunk together: one await a chunk, not one a line.
 *
 * @throws GridError file_unreadable, replay_invalid for a line beyond REPLAY_LINE_BYTES_MAX
 */
export async function* csvLines(file: string): AsyncGenerator<CsvLine[]> {
  let rest = "";
  let line = 0;
  const stream = createReadStream(file, { encoding: "utf8" });
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const texts = (rest + chunk).split("\n");
      rest = texts.pop()!;
      const lines = texts.map((text) => ({ line: ++line, text: trimLine(text, line) }));
      const longest = lines.find((one) => one.text.length > REPLAY_LINE_BYTES_MAX);
      if (longest !== undefined) throw lineTooLong(file, longest.line);
      if (rest.length > REPLAY_LINE_BYTES_MAX) throw lineTooLong(file, line + 1);
      yield lines;
    }
  } catch (error) {
    if (error instanceof GridError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new GridError(
      "file_unreadable",
      `cannot read ${file} (${reason})`,
      { file },
      {
        cause: error,
      },
    );
  }
  if (rest !== "") yield [{ line: line + 1, text: trimLine(rest, line + 1) }];
}

/** Without carriage return, and without the byte order mark that spreadsheets write first. */
function trimLine(text: string, line: number): string {
  const start = line === 1 && text.startsWith("\ufeff") ? 1 : 0;
  return text.slice(start, text.endsWith("\r") ? -1 : undefined);
}

function lineTooLong(file: string, line: number): GridError<"replay_invalid"> {
  const message = `${file}, line ${line}: longer than ${REPLAY_LINE_BYTES_MAX} characters`;
  return new GridError("replay_invalid", message, { file, line });
}
