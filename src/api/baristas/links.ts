/**
 * Owns the routes of finish links: one finishes or fails the start of an order that it is for.
 *
 * **Invariants**
 * - The link alone is the right: no token, no name, no cookie, and any origin.
 * - Looking changes nothing: scanners fetch what they find in mails.
 * - Wrong links are slowed as wrong tokens are, and stand in no log.
 */
import { Elysia } from "elysia";
import { createBodyReader, missingBody, readResult } from "../../http/input.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import { WrongGuesses } from "../../limits/wrong-guesses.ts";
import { failureOf } from "../../orders/operations/fail.ts";
import type { Orders } from "../../orders/orders.ts";
import type { ChangeOutcome } from "../../orders/outcomes.ts";
import { FailureDraft } from "../../orders/views.ts";
import { problem, ProblemError } from "../../problem.ts";
import type { FinishLinks, LinkedStart } from "../../service/finish-links.ts";
import { answerChanged, answerFound } from "../answers.ts";
import { FAIL_BY_LINK, FINISH_BY_LINK, LOOK_BY_LINK } from "./link-descriptions.ts";

/** The routes that ask for nothing but the link. */
export const LINK_PATHS = ["/finish/:link", "/fail/:link"] as const;

export interface LinkDependencies {
  readonly orders: Pick<Orders, "finish" | "fail" | "find">;
  readonly links: FinishLinks;
  readonly readTraceparent: ReadTraceparent;
}

interface LinkContext {
  readonly request: Request;
  readonly params: { readonly link: string };
}

export function linkRoutes(
  { orders, links, readTraceparent }: LinkDependencies,
  addressOf: (request: Request) => string,
) {
  const read = createLinkReader(links, addressOf);
  const readFailure = createBodyReader(FailureDraft, { isFromCurl: true });

  const look = async ({ request, params }: LinkContext): Promise<Response> => {
    const { orderId } = await read(request, params);
    return answerFound(await orders.find(orderId));
  };

  // (With the whole context in hand Elysia would read the body itself.)
  const finish = async ({ request, params }: LinkContext): Promise<Response> => {
    const started = await read(request, params);
    const result = await readResult(request);
    const traceparent = readTraceparent(request.headers);
    return answerEnded(await orders.finish({ ...started, result, traceparent }), "finished");
  };

  const fail = async ({ request, params }: LinkContext): Promise<Response> => {
    const started = await read(request, params);
    const failure = await readFailure(request);
    if (!failure) throw missingBody(FailureDraft.description);
    const change = { ...started, traceparent: readTraceparent(request.headers) };
    return answerEnded(await orders.fail({ ...change, ...failureOf(failure) }), "said to have failed");
  };

  return new Elysia()
    .get("/finish/:link", look, LOOK_BY_LINK.finish)
    .post("/finish/:link", finish, FINISH_BY_LINK)
    .get("/fail/:link", look, LOOK_BY_LINK.fail)
    .post("/fail/:link", fail, FAIL_BY_LINK);
}

/** Makes the reader of the link in a path. Throws a ProblemError. */
function createLinkReader(links: FinishLinks, addressOf: (request: Request) => string) {
  const wrongGuesses = new WrongGuesses();
  return async (request: Request, params: LinkContext["params"]): Promise<LinkedStart> => {
    const started = await links.read(params.link);
    if (started) return started;
    const address = addressOf(request);
    const blockedMs = wrongGuesses.blockedMs(address);
    if (blockedMs === 0) {
      wrongGuesses.note(address);
      throw new ProblemError("link_forged");
    }
    const seconds = String(Math.ceil(blockedMs / 1000));
    throw new ProblemError("too_many_tokens", {
      detail: `Too many wrong links came from your address: send the right one, or try again in ${seconds} s.`,
      headers: { "Retry-After": seconds },
    });
  };
}

function answerEnded(outcome: ChangeOutcome, verb: string): Response {
  if (outcome.kind !== "conflict") return answerChanged(outcome, verb);
  const { status, barista } = outcome;
  const holder = barista ? ` (barista: ${barista})` : "";
  const detail = `The start that this link is for has ended: the order is ${status}${holder}, and can't be ${verb} by it.`;
  return problem("order_conflict", { detail, order_status: status });
}
