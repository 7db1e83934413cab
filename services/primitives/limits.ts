/**
 * Every limit in one place, with the relations between them asserted when this module loads.
 * [fork] marks the ones that are consensus: changing one changes which blocks are valid.
 */
import { assert } from "./errors.ts";

/** [fork] Regions of one chain. */
export const REGIONS_MAX = 1024;
/** [fork] Meters of one region, feeder and production meters included. */
export const METERS_PER_REGION_MAX = 65_536;
/** [fork] Members (accounts) of one region. */
export const MEMBERS_PER_REGION_MAX = 65_536;
/** [fork] Directed lines between regions. */
export const LINES_MAX = 8192;
/** [fork] Orders of one region's auction. Bounds the work of one block. */
export const ORDERS_PER_REGION_MAX = 1_048_576;
/** [fork] Energy of one meter in one slot, Wh: 10 MWh, beyond any connection in a local grid. */
export const SLOT_ENERGY_WH_MAX = 10_000_000;
/** [fork] Cumulative register, Wh: 2^48, above every rollover in the field. */
export const REGISTER_WH_MAX = 281_474_976_710_655;
/** [fork] Prices stand in [-max, max] uc/Wh: 100 currency units per kWh. */
export const PRICE_UC_PER_WH_MAX = 10_000_000;
/** [fork] One transaction's bytes. A report of a full region is the largest. */
export const TRANSACTION_BYTES_MAX = 4 * 1024 * 1024;
/** [fork] One block's transaction bytes (CometBFT's default block.max_bytes). */
export const BLOCK_BYTES_MAX = 22_020_096;
/** [fork] Transactions in one block. */
export const BLOCK_TRANSACTIONS_MAX = 20_000;
/** [fork] Late entries in one report. */
export const LATE_ENTRIES_PER_REPORT_MAX = 4096;
/** [fork] Committee members: one bit each in a certificate's bitmask. */
export const COMMITTEE_MEMBERS_MAX = 32;
/** [fork] Open forward orders of one member in one slot. */
export const FORWARD_ORDERS_PER_MEMBER_MAX = 32;
/** [fork] Open forward orders of one region in one slot. Bounds one forward auction. */
export const FORWARD_ORDERS_PER_SLOT_MAX = 8192;
/** [fork] Open forward orders and unsettled positions of one region, all slots together. */
export const FORWARD_ORDERS_PER_REGION_MAX = 65_536;
/** [fork] How many slots past the next one to clear may have orders: 42 days of quarter hours. */
export const FORWARD_SLOTS_MAX = 4096;
/** [fork] How far ahead the law may open the forward market, seconds. */
export const FORWARD_HORIZON_S_MAX = 30 * 86_400;
/** [fork] Messages between two regions that nobody has consumed yet, both ways together. */
export const MESSAGES_PER_PAIR_MAX = 64;
/** [fork] Messages that one lane consumes in one block. */
export const MESSAGES_PER_BLOCK_MAX = 1024;
/** [fork] Messages that wait for one lane. */
export const INBOX_MESSAGES_MAX = 65_536;
/** [fork] What a message carries, bytes. */
export const MESSAGE_PAYLOAD_BYTES_MAX = 256;
/** [fork] One payment between members, micro-cents: 703,687 units of currency. */
export const PAYMENT_UC_MAX = 2n ** 46n;
/** [fork] What an account may stand at, either way, after a payment has come: half its range. */
export const PAID_BALANCE_UC_MAX = 2n ** 62n;
/** [fork] Number of a chain version. */
export const CHAIN_VERSION_MAX = 65_535;
/** [fork] Upgrades that one chain can see. */
export const CHAIN_UPGRADES_MAX = 1024;
/** [fork] Slot length, seconds. */
export const SLOT_S_MIN = 60;
export const SLOT_S_MAX = 3600;

/** Threads beside the node's own that execute lanes and verify signatures. */
export const LANE_WORKERS_MAX = 64;
/** Transactions waiting for a block; the next one is refused with `mempool_full`. */
export const MEMPOOL_TRANSACTIONS_MAX = 20_000;
/** Bytes of the transactions that wait for a block, all together. */
export const MEMPOOL_BYTES_MAX = 4 * BLOCK_BYTES_MAX;
/** MQTT payload, bytes. */
export const READING_BYTES_MAX = 4096;
/** One MQTT packet, bytes: beyond it the connection is cut before the packet is read. */
export const MQTT_PACKET_BYTES_MAX = 65_536;
/** Readings of one device in flight at the broker. */
export const READINGS_IN_FLIGHT_PER_DEVICE_MAX = 20;
/** Readings that wait for the next durable batch, all devices together. */
export const INGEST_QUEUE_MAX = 100_000;
/** Messages kept for one MQTT client that is away; the next one is dropped. */
export const SESSION_QUEUE_MAX = 1000;
/** Filters that one MQTT client may subscribe to. */
export const SUBSCRIPTIONS_PER_CLIENT_MAX = 64;
/** Messages that wait for one MQTT client which has stopped reading; the next one is dropped. */
export const FORWARDS_WAITING_MAX = 20;
/** MQTT keep alive, seconds: a client silent for 1.5 times as long is cut, whatever it asks. */
export const KEEPALIVE_S_MAX = 300;
/** How far a reading's time may run ahead of market time, seconds (rule V06). */
export const READING_FUTURE_S_MAX = 120;
/** Clients of the event stream; the next one is refused with 503. */
export const STREAM_CLIENTS_MAX = 1000;
/** Events queued for one stream client before it is dropped. */
export const STREAM_QUEUE_MAX = 256;
/** Blocks replayed to a stream client that returns; after a longer absence it fetches anew. */
export const STREAM_REPLAY_BLOCKS_MAX = 256;
/** Slot records read for one such replay, all regions together. */
export const STREAM_REPLAY_RECORDS_MAX = 4096;
/** TCP connections of the HTTP server, stream clients included. */
export const HTTP_CONNECTIONS_MAX = 4096;
/** Pairing codes that wait to be used. */
export const PAIRINGS_MAX = 1000;
/** Sessions that have not expired. */
export const SESSIONS_MAX = 100_000;
/** Wrong pairing codes in one window, from one address and from all. */
export const PAIRING_ATTEMPTS_PER_ADDRESS_MAX = 10;
export const PAIRING_ATTEMPTS_MAX = 200;
/** Auditors' tokens that have not expired, and how long one may last. */
export const AUDITORS_MAX = 64;
export const AUDITOR_DAYS_MAX = 366;
/** One page of an audit: it ends with the entry that passes these bytes, or at a count. */
export const AUDIT_PAGE_BYTES_MAX = 4 * 1024 * 1024;
export const AUDIT_BLOCKS_PER_PAGE_MAX = 128;
export const AUDIT_RECORDS_PER_PAGE_MAX = 256;
export const AUDIT_KEYS_PER_PAGE_MAX = 8192;
/** One key of a record in a request, characters; the longest of ours has 28. */
export const AUDIT_KEY_CHARACTERS_MAX = 64;
/** One answer that an auditor takes from a node: a page whose last entry is the largest block. */
export const AUDIT_ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** What one auditor may ask a node in a window of ten seconds, and all auditors at once. */
export const AUDIT_REQUESTS_PER_WINDOW_MAX = 1000;
export const AUDIT_REQUESTS_AT_ONCE_MAX = 4;
/** Tries of one request before an audit gives up, and passes over a state that keeps moving. */
export const AUDIT_TRIES_MAX = 8;
export const AUDIT_STATE_PASSES_MAX = 16;
/** Threads that check signatures ahead of an audit. */
export const AUDIT_WORKERS_MAX = 16;
/** HTTP request body, bytes. */
export const REQUEST_BYTES_MAX = 1024 * 1024;
/** Slots or bills in one page of an answer. */
export const PAGE_ROWS_MAX = 1000;
/** Stored blocks of entries read for one page of payments. */
export const ENTRY_RECORDS_PER_PAGE_MAX = 1024;
/** Months of statements in one answer: each is added up from its days. */
export const STATEMENT_MONTHS_MAX = 120;
/** Fewer meters than this are never shown as an aggregate. */
export const AGGREGATE_METERS_MIN = 5;
/** Nesting of a canonical value. */
export const CODEC_DEPTH_MAX = 16;
/** Imported P-256 keys kept, about 5 KB each; with more meters, importing again only costs time. */
export const P256_KEYS_CACHED_MAX = 16_384;
/** Checked BLS keys kept for the next certificate. */
export const BLS_KEYS_CACHED_MAX = 1024;
/** Readings made durable by one write of the oracle's store. */
export const INGEST_BATCH_READINGS_MAX = 4096;
/** Reports closed and made durable by one write of the oracle's store. */
export const REPORTS_PER_WRITE_MAX = 32;
/** Refusal log rows kept per region and day. */
export const REFUSALS_PER_DAY_MAX = 100_000;

/** Records a meter keeps until their receipt: 42 days of quarter hours. Then resolution is lost. */
export const JOURNAL_RECORDS_PER_DEVICE_MAX = 4096;
/** Refused records a meter keeps for inspection; older ones only stay counted. */
export const REFUSED_RECORDS_PER_DEVICE_MAX = 64;
/** Meters of one simulated fleet, in one process. */
export const FLEET_DEVICES_MAX = 10_000;
/** Rows of a replayed file: ten years of quarter hours. */
export const REPLAY_ROWS_MAX = 351_360;
/** Homes of a replayed file. */
export const REPLAY_HOMES_MAX = 1024;
/** One line of a replayed file, bytes. */
export const REPLAY_LINE_BYTES_MAX = 65_536;
/** One telegram of a meter that cannot sign, bytes; beyond it the framer starts afresh. */
export const TELEGRAM_BYTES_MAX = 16_384;
/** Lines, list entries or JSON values of one telegram. */
export const TELEGRAM_VALUES_MAX = 4096;
/** Nesting of one telegram. */
export const TELEGRAM_DEPTH_MAX = 16;
/** One OCMF record, bytes: twice what OCPP 2.1 lets a charging station send. */
export const OCMF_RECORD_BYTES_MAX = 65_536;
/** A file of OCMF records, bytes. */
export const OCMF_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Readings of one OCMF record. */
export const OCMF_READINGS_MAX = 1024;
/** An order book as a file, bytes: the text of the most orders of one region fits. */
export const MARKET_FILE_BYTES_MAX = 256 * 1024 * 1024;
/** An exported proof; a bill's has some 5 kB, that of a member's absence up to 3 kB a meter. */
export const PROOF_FILE_BYTES_MAX = 262_144;
/** Slots that one record may cover and still be found behind a report: 42 days of quarter hours. */
export const PROOF_SEARCH_SLOTS_MAX = 4096;
/** Meters and kinds of bill in one proof of absence. */
export const PROOF_GAPS_MAX = 64;
/** Validators of a CometBFT chain, and signatures of a commit (its own MaxVotesCount). */
export const VALIDATORS_MAX = 10_000;

/** Change records behind one whole record; the next change writes it whole. */
export const CHANGES_PER_RECORD_MAX = 64;
/** All changes behind a whole record come to at most this part of it: one in so many. */
export const CHANGE_SHARE_MIN = 4;
/** One chunk of a snapshot: below the 10 MB that CometBFT advises and the 16 MB that it allows. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 8 * 1024 * 1024;
/** A snapshot's metadata (CometBFT's own limit). */
export const SNAPSHOT_METADATA_BYTES_MAX = 4 * 1024 * 1024;
/** Chunks of one snapshot: 128 GiB of state. */
export const SNAPSHOT_CHUNKS_MAX = 16_384;
/** One lane's records in a snapshot: what a restore may hold before it can check them. */
export const SNAPSHOT_LANE_BYTES_MAX = 1024 * 1024 * 1024;
/** Records of one lane in a snapshot. */
export const SNAPSHOT_LANE_RECORDS_MAX = 65_536;
/** One record in a snapshot: bounds what its decoding may allocate. */
export const SNAPSHOT_RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** Snapshots that one node offers (CometBFT asks for no more). */
export const SNAPSHOTS_LISTED_MAX = 10;

assert(TRANSACTION_BYTES_MAX < BLOCK_BYTES_MAX, "the largest transaction must fit a block");
assert(
  METERS_PER_REGION_MAX * 20 + LATE_ENTRIES_PER_REPORT_MAX * 32 + 1024 <= TRANSACTION_BYTES_MAX,
  "a full region's report must fit a transaction",
);
assert(
  SLOT_ENERGY_WH_MAX * METERS_PER_REGION_MAX <= Number.MAX_SAFE_INTEGER,
  "a region's energy must be a safe integer",
);
assert(
  BigInt(SLOT_ENERGY_WH_MAX) *
    BigInt(PRICE_UC_PER_WH_MAX) *
    // An undelivered Wh costs the short price, at most twice the range above retail.
    BigInt(METERS_PER_REGION_MAX + 3 * FORWARD_ORDERS_PER_SLOT_MAX) <
    2n ** 63n,
  "a region's money must fit 64 bits",
);
assert(
  SLOT_ENERGY_WH_MAX * PRICE_UC_PER_WH_MAX * (FORWARD_ORDERS_PER_MEMBER_MAX + 1) <
    Number.MAX_SAFE_INTEGER,
  "what one meter's slot comes to at one price must be a safe integer",
);
assert(
  MESSAGES_PER_PAIR_MAX * REGIONS_MAX <= INBOX_MESSAGES_MAX,
  "an inbox must hold what all pairs may hold",
);
assert(
  // A lane's payments in flight may all come back after its accounts were filled by others'.
  BigInt(MESSAGES_PER_PAIR_MAX * REGIONS_MAX) * PAYMENT_UC_MAX + PAID_BALANCE_UC_MAX <= 2n ** 63n,
  "a refund must always fit its account",
);
assert(PAYMENT_UC_MAX <= BigInt(Number.MAX_SAFE_INTEGER), "a payment must be a safe integer");
assert(
  AUDIT_PAGE_BYTES_MAX + 2 * BLOCK_BYTES_MAX <= AUDIT_ANSWER_BYTES_MAX,
  "a page and the largest block with its answers must fit an answer",
);
assert(STREAM_CLIENTS_MAX < HTTP_CONNECTIONS_MAX, "streams must leave room for requests");
assert(MEMPOOL_TRANSACTIONS_MAX <= BLOCK_TRANSACTIONS_MAX, "a full mempool must fit one block");
assert(
  SNAPSHOT_CHUNKS_MAX * 40 + REGIONS_MAX * 256 <= SNAPSHOT_METADATA_BYTES_MAX,
  "the metadata of the largest snapshot must fit",
);
assert(TRANSACTION_BYTES_MAX < SNAPSHOT_RECORD_BYTES_MAX, "a report must fit a snapshot's record");
