/**
 * Owns the answer to a customer who asks from which address the server sees them: whether TRUSTED_PROXIES is right.
 *
 * **Invariants**
 * - A proxy's own address is never shown, whether the proxy is trusted or only says that it passes requests on.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { documented } from "../../http/documented.ts";
import { answerJson } from "../../http/json.ts";
import type { FindServer } from "../../http/listening.ts";
import type { Hops } from "../../limits/address.ts";

/** A client that no proxy has: of RFC 5737, for documentation. */
const PROBE = "192.0.2.1";

/** How each header would name it. */
const NAMED = [
  ["x-forwarded-for", PROBE],
  ["forwarded", `for=${PROBE}`],
] as const;

/** Headers of a request that a proxy has passed on. */
const MARKS = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

const AddressView = Type.Object(
  {
    address: Type.Optional(Type.String({ description: "an IPv4 address, or the /64 of an IPv6 address" })),
    source: Type.Union(
      ["connection", "trusted_proxy", "unnamed", "untrusted_proxy"].map((source) => Type.Literal(source)),
      {
        description:
          "`connection`: the other end of the connection; `trusted_proxy`: the header of a proxy in TRUSTED_PROXIES; " +
          "`unnamed`: such a proxy named no address in PROXY_HEADER; `untrusted_proxy`: a proxy that is not in TRUSTED_PROXIES",
      },
    ),
  },
  {
    $id: "Address",
    examples: [{ address: "198.51.100.7", source: "trusted_proxy" }],
  },
);

interface AddressDependencies {
  readonly addressOf: (hops: Hops) => string;
}

export function addressRoutes(dependencies: AddressDependencies, findServer: FindServer) {
  return new Elysia().get("/address", createReadAddress(dependencies, findServer), READ_ADDRESS);
}

function createReadAddress({ addressOf }: AddressDependencies, findServer: FindServer) {
  /** The header that is believed of that peer; undefined where none is. */
  const believedOf = (peer: string): string | undefined =>
    NAMED.find(([name, value]) => addressOf({ peer, headers: new Headers({ [name]: value }) }) === PROBE)?.[0];

  return ({ request }: { request: Request }): Response => {
    const { headers } = request;
    const peer = findServer()?.requestIP(request)?.address ?? "";
    const believed = believedOf(peer);
    const address = addressOf({ peer, headers });
    const answer = (view: Static<typeof AddressView>): Response => answerJson(JSON.stringify(view));
    if (believed !== undefined) {
      return answer(headers.has(believed) ? { address, source: "trusted_proxy" } : { source: "unnamed" });
    }
    return answer(
      MARKS.some((mark) => headers.has(mark)) ? { source: "untrusted_proxy" } : { address, source: "connection" },
    );
  };
}

const READ_ADDRESS = documented({
  tag: "Shop",
  operationId: "readAddress",
  summary: "Which address does the server see?",
  description:
    "The address that limits count your requests by, and who named it: so that you see whether TRUSTED_PROXIES and PROXY_HEADER " +
    "fit the proxies on the way. A proxy's own address is not shown.",
  answers: { 200: { description: "Your address, as the server sees it.", schema: AddressView } },
});
