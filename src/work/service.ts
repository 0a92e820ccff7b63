/**
 * Owns the work service: demands become orders of queue `work`, and rows are views of these.
 *
 * **Invariants**
 * - Every order that was called in queue `work` while the service is on is a row, however it came.
 */
import type { Static } from "@sinclair/typebox";
import type { LabelCursor, LabelPage } from "../orders/labels.ts";
import type { Orders } from "../orders/orders.ts";
import type { CallQueue, QueueDeclaration } from "../service/call-queue.ts";
import { scopeToCustomer } from "../service/key-scope.ts";
import type { AcceptOutcome, Ordering } from "../service/ordering.ts";
import { draw } from "./drawing.ts";
import { WORK_QUEUE, type WorkDraft, type WorkInput } from "./input.ts";
import { toRow, type WorkRow } from "./row.ts";

interface DemandRequest {
  readonly address: string;
  /** The Idempotency-Key as it was sent. */
  readonly key: string | undefined;
  readonly draft: Static<typeof WorkDraft>;
  /** Of the request, where something is traced. */
  readonly traceparent?: string | undefined;
}

type Accepted = Extract<AcceptOutcome, { kind: "accepted" }>;

/** `row` is what was found of it then. */
export type DemandOutcome =
  | (Omit<Accepted, "found" | "orderId"> & { readonly row: RowOutcome })
  | Exclude<AcceptOutcome, Accepted>;

export type RowOutcome =
  | { readonly kind: "found"; readonly row: WorkRow }
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" };

interface RowSearch {
  /** How their codes begin. */
  readonly workCode?: string | undefined;
  /** Created at or after, and before; seconds since 1970. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly isDone?: boolean | undefined;
  readonly cursor?: LabelCursor | undefined;
  readonly limit: number;
}

interface RowPage extends Pick<LabelPage, "cursor"> {
  readonly rows: readonly WorkRow[];
}

interface WorkParts {
  readonly queue: CallQueue;
  readonly ordering: Pick<Ordering, "orderAndAccept">;
  readonly orders: Pick<Orders, "findLabelled" | "searchLabelled">;
}

export class WorkService {
  readonly #parts: WorkParts;

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  get queue(): CallQueue {
    return this.#parts.queue;
  }

  /** Takes a demand. What it leaves out is drawn: the same for the same Idempotency-Key. */
  async demand({ address, key, draft, traceparent }: DemandRequest): Promise<DemandOutcome> {
    const { ordering, queue } = this.#parts;
    const drawn = draw("api", scopeToCustomer(key, { customerId: undefined, address }));
    const { add_up_to = drawn.addUpTo, work_code: workCode = drawn.workCode } = draft;
    const input = JSON.stringify({ add_up_to, work_code: workCode });
    const outcome = await ordering.orderAndAccept({ address, key, queue, input, label: workCode, traceparent });
    if (outcome.kind !== "accepted") return outcome;
    const { found, limit } = outcome;
    return { kind: "accepted", limit, row: found.kind === "found" ? rowOf(workCode, found.order) : found };
  }

  async find(id: number): Promise<RowOutcome> {
    const found = await this.#parts.orders.findLabelled({ queue: WORK_QUEUE, number: id });
    return found.kind === "found" ? rowOf(found.label, found.order) : found;
  }

  async search({ workCode, from, to, isDone, cursor, limit }: RowSearch): Promise<RowPage> {
    const times = { fromMs: from && from * 1000, beforeMs: to && to * 1000 };
    const wanted = { queue: WORK_QUEUE, prefix: workCode, ...times, isReady: isDone, cursor, limit };
    const page = await this.#parts.orders.searchLabelled(wanted);
    const rows = page.found.map(({ label, order }) => toRow(label, order));
    return { rows, ...(page.cursor ? { cursor: page.cursor } : undefined) };
  }
}

function rowOf(workCode: string, order: string): RowOutcome {
  return { kind: "found", row: toRow(workCode, order) };
}

/** The declaration of queue `work`, with codes for what comes by `POST /queue/work/`; others as they are. */
export function withWorkCodes(declaration: QueueDeclaration): QueueDeclaration {
  if (declaration.rules.name !== WORK_QUEUE) return declaration;
  return {
    ...declaration,
    labelOf: (input) => (input as Static<typeof WorkInput>).work_code ?? draw("queue").workCode,
  };
}
