/** A market file's refusal as one sentence: where, what must be, what stands there, the code. */

import type { OfflineRefusal } from "../market/offline-form.ts";
import { ORDER_ENERGY_WH_MAX } from "../market/orders.ts";
import {
  LINES_MAX,
  MARKET_FILE_BYTES_MAX,
  ORDERS_PER_REGION_MAX,
  PRICE_UC_PER_WH_MAX,
  REGIONS_MAX,
} from "../primitives/limits.ts";

const PRICE_RANGE = `must be from -${PRICE_UC_PER_WH_MAX} to ${PRICE_UC_PER_WH_MAX} uc/Wh`;
const MUST: Readonly<Record<string, string>> = {
  file_too_large: `must have at most ${MARKET_FILE_BYTES_MAX} bytes`,
  text_not_utf8: "must be UTF-8 text",
  json_malformed: "must be JSON (or CSV with --format csv)",
  csv_malformed: "must be CSV with a header",
  column_unknown: "no such column",
  column_duplicate: "this column stands twice",
  column_missing: "this column is needed",
  record_unknown: "must be order, line, region or rule",
  row_too_long: "must not have more cells than the header",
  field_unknown: "no such field",
  field_missing: "this field is needed",
  field_duplicate: "this name stands twice in one object",
  type_invalid: "must be of another type (--schema in)",
  value_invalid: "must be one of the values allowed (--schema in)",
  region_id_duplicate: "must be an id of its own",
  order_id_duplicate: "must be an id of its own in its region",
  line_id_duplicate: "must be an id of its own",
  line_end_unknown: "must be the id of a region of this file",
  line_self_loop: "must be another region than `from`",
  lines_need_uniform_price: "must be empty: only the uniform price couples regions",
  regions_too_many: `must be at most ${REGIONS_MAX}`,
  lines_too_many: `must be at most ${LINES_MAX}`,
  orders_too_many: `must be at most ${ORDERS_PER_REGION_MAX} in a region`,
  energy_not_integer: "must be a whole number of Wh",
  energy_not_positive: "must be above zero",
  energy_too_large: `must be at most ${ORDER_ENERGY_WH_MAX} Wh`,
  energy_total_too_large: "all energy together must be at most 2^53 - 1 Wh",
  price_not_integer: "must be a whole number of uc/Wh",
  price_out_of_range: PRICE_RANGE,
  price_off_tick: "must be a multiple of rule.tickUcPerWh",
  price_negative: "must not be negative under the supply-demand ratio",
  feed_in_above_retail: "must not be above rule.retailUcPerWh",
  tick_invalid: `must be a whole number from 1 to ${PRICE_UC_PER_WH_MAX} uc/Wh`,
  part_out_of_range: "must be a whole number from 0 to 1000000",
  priority_not_integer: "must be a whole number",
  capacity_not_integer: "must be a whole number of Wh",
  capacity_negative: "must not be negative",
  capacity_too_large: `must be at most ${ORDER_ENERGY_WH_MAX} Wh`,
  fee_not_integer: "must be a whole number of uc/Wh",
  fee_negative: "must not be negative",
  fee_out_of_range: `must be at most ${PRICE_UC_PER_WH_MAX} uc/Wh`,
  fee_off_tick: "must be a multiple of rule.tickUcPerWh",
  coefficient_invalid: "must be a whole number from 0 to 1000000",
  coefficient_sum_invalid: "the coefficients of a region must sum to 1000000",
};

const VALUE_CHARACTERS_MAX = 80;

export function refusalSentence({ code, path, value }: OfflineRefusal): string {
  const where = path === "" ? "the file" : clean(path);
  // An unknown field is its own value, and a parser's words are no value.
  const found = value === null || code === "field_unknown" ? "" : ` is ${shown(value)}`;
  const must = MUST[code] ?? "this is refused";
  if (code === "json_malformed") return `${where}: ${must}; ${clean(String(value))} [${code}]`;
  return `${where}${found}: ${must} [${code}]`;
}

function shown(value: string | number): string {
  return typeof value === "number" ? String(value) : `"${clean(value)}"`;
}

/** Names and values are the file's: none may move the cursor of the terminal that shows them. */
function clean(text: string): string {
  const short =
    text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}...` : text;
  return short.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
