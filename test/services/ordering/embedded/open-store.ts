/** A process of its own that opens the store of its first argument and prints how that failed. */
import { openBlockStore } from "../../../../services/ordering/embedded/block-store.ts";

try {
  const store = await openBlockStore({ directory: process.argv[2]! });
  await store.close();
  process.stdout.write(JSON.stringify({ code: "opened" }));
} catch (failure) {
  const { code, facts, message } = failure as { code: string; facts: unknown; message: string };
  process.stdout.write(JSON.stringify({ code, facts, message }));
}
