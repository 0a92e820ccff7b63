/**
 * Owns the format of the shop's data: claimed at start, upgraded where it is the one before, refused where it is newer.
 *
 * **Invariants**
 * - A server serves only data of its own format, or of the one before while that is upgraded.
 * - From the moment a newer server has claimed the data, an older one changes nothing any more.
 * - One server upgrades at a time, in bounded pages. Others serve meanwhile.
 */
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";
import { version } from "../version.ts";

export interface FormatOptions {
  readonly shop: string;
  readonly log: Log;
}

/**
 * Claims the data for this version's format, and upgrades it. Throws a StartError for data that this version can't
 * read.
 */
export async function openFormat({ run }: Pick<ShopRedis, "run">, { shop, log }: FormatOptions): Promise<void> {
  const [outcome, format, writer] = asList(await run(loadScript("claim-format"), [version])).map(asText);
  switch (outcome) {
    case "current":
      return;
    case "upgrading":
      return await upgrade(run, log);
    case "newer":
      throw new StartError(
        `the data of shop ${shop} is in format ${format}, which this version (${version}) can't read: start Longpour ${writer} or newer`,
      );
    case "garbled":
      throw new StartError(
        `the format of shop ${shop}'s data can't be read: put the key {${shop}}:format right, ` +
          "or choose another name for SHOP, or an empty Redis or DATA_DIR",
      );
    case undefined:
    default:
      throw new StartError(
        `the data of shop ${shop} was written by a version that is too old for this one (${version}): ` +
          "let that version finish its orders, then choose another name for SHOP, or an empty Redis or DATA_DIR",
      );
  }
}

async function upgrade(run: ShopRedis["run"], log: Log): Promise<void> {
  const script = loadScript("upgrade-orders");
  const server = crypto.randomUUID();
  let upgraded = 0;
  for (let rank = ""; ;) {
    const [outcome, next, count] = asList(await run(script, [server, version, rank]));
    if (outcome === "other") return;
    upgraded += asInteger(count);
    if (outcome === "done") break;
    rank = String(next);
  }
  log.info({ upgraded }, "orders are in this version's format now");
}
