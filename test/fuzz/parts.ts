/** Owns the parts of a whole fuzz: which server, which seed, and how much of the requests each gets. */
import { startServer } from "../support/server.ts";
import { runCampaign, type Result } from "./campaign.ts";

export interface Part {
  readonly name: string;
  readonly seed: number;
  /** Of all requests. */
  readonly share: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly token?: string;
}

const TOKEN = "fuzz-staff-token";

export const PARTS: readonly Part[] = [
  {
    name: "limits out of the way, short leases",
    seed: 81_001,
    share: 0.8,
    environment: {
      LIMIT_CAPACITY: "1000000",
      LIMIT_REFILL_PER_SECOND: "1000000",
      REQUESTS_PER_SECOND: "1000000",
      LEASE_SECONDS: "1",
      QUEUES: "work max_attempts=2 limit_capacity=1000000 limit_refill_per_second=1000000",
    },
  },
  {
    name: "the limits as they are, with a staff token",
    seed: 81_002,
    share: 0.2,
    environment: { STAFF_TOKEN: TOKEN, BARISTA_HOST: "127.0.0.1", QUEUES: "work capacity=20" },
    token: TOKEN,
  },
];

/** Runs a part on a server of its own; what the server logged as an error is a fault too. */
export async function runPart({ environment, seed, token }: Part, requests: number): Promise<Result> {
  const server = await startServer(environment);
  const ports = { customers: server.customers, baristas: server.baristas };
  const result = await runCampaign({ ...ports, seed, requests, ...(token === undefined ? {} : { token }) });
  const errors = server.log().filter(({ level }) => level === "error" || level === "fatal");
  const exitCode = await server.stop();
  const faults = [
    ...result.faults,
    ...errors.slice(0, 5).map((line) => `logged: ${JSON.stringify(line)}`),
    ...(exitCode === 0 ? [] : [`the server ended with ${exitCode}`]),
  ];
  return { ...result, faults };
}
